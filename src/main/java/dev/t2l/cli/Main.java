package dev.t2l.cli;

import dev.t2l.model.TensorType;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.RunLast;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/**
 * The command {@code t2l}. Results go to standard output, everything else to standard error.
 *
 * <p>Exit codes: 0 the job is done; 1 it failed, for the reason on standard error; 2 the command line is wrong.
 */
@Command(name = "t2l", mixinStandardHelpOptions = true, scope = ScopeType.INHERIT, versionProvider = Version.class,
        synopsisSubcommandLabel = "COMMAND", descriptionHeading = "%n", parameterListHeading = "%nArguments:%n", optionListHeading = "%nOptions:%n",
        commandListHeading = "%nCommands:%n", exitCodeListHeading = "%nExit codes:%n", exitCodeList = {"0:done", "1:failed, for the reason on standard error", "2:wrong usage"})
public final class Main implements Runnable {
    /** The root's own description; subcommands would inherit it if it stood in the annotation. */
    private static final String DESCRIPTION = "Turns one sentence that describes a task into a LoRA adapter for a language model.";

    @Option(names = "--verbose", scope = ScopeType.INHERIT, description = "Tell what is done, and the stack trace of a failure.")
    private boolean verbose;

    @Spec
    private CommandSpec spec;

    /** Runs the command line and ends the JVM with its exit code. */
    public static void main(String... args) {
        var out = new PrintWriter(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        var err = new PrintWriter(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);
        int code = commandLine(out, err).execute(args);
        out.flush();
        err.flush();
        System.exit(code);
    }

    /** The parsed and executable command line, which writes to these two. */
    static CommandLine commandLine(PrintWriter out, PrintWriter err) {
        var main = new Main();
        var line = new CommandLine(main)
                .addSubcommand(new Demo())
                .addSubcommand(new Adapt())
                .addSubcommand(new Run())
                .addSubcommand(new Embed())
                .addSubcommand(new Train())
                .addSubcommand(new Eval())
                .addSubcommand(new Experiment())
                .addSubcommand(new Plot())
                .addSubcommand(new Average())
                .addSubcommand(new Merge())
                .addSubcommand(new Export())
                .addSubcommand(new Inspect())
                .addSubcommand(new Bench())
                .addSubcommand(new Doctor())
                .registerConverter(TensorType.class, TensorTypeArgument::parse)
                .registerConverter(AdapterArgument.class, AdapterArgument::parse);
        line.getCommandSpec().usageMessage().description(DESCRIPTION);
        line.getSubcommands().get("experiment").getCommandSpec().usageMessage().footer(Experiment.footer());
        return line.setOut(out).setErr(err)
                .setUsageHelpAutoWidth(true)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionStrategy(main::execute)
                .setParameterExceptionHandler(Main::wrongUsage)
                .setExecutionExceptionHandler(main::failed);
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing");
    }

    private int execute(ParseResult parsed) {
        ConsoleLogging.configure(spec.commandLine().getErr(), verbose);
        return new RunLast().execute(parsed);
    }

    private static int wrongUsage(ParameterException e, String[] args) {
        CommandLine command = e.getCommandLine();
        String name = command.getCommandSpec().qualifiedName();
        PrintWriter err = command.getErr();
        err.println(name + ": " + e.getMessage());
        if (!CommandLine.UnmatchedArgumentException.printSuggestions(e, err)) {
            err.println("Try '" + name + " --help'.");
        }
        return CommandLine.ExitCode.USAGE;
    }

    private int failed(Exception e, CommandLine command, ParseResult parsed) {
        PrintWriter err = spec.commandLine().getErr();
        err.println(command.getCommandSpec().qualifiedName() + ": " + FailureMessage.of(e));
        if (verbose) {
            e.printStackTrace(err);
        }
        return CommandLine.ExitCode.SOFTWARE;
    }
}
