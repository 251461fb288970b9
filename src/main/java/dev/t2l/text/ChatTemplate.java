package dev.t2l.text;

import dev.t2l.io.FormatException;
import dev.t2l.io.Gguf;
import dev.t2l.text.jinja.Template;
import dev.t2l.text.jinja.Text;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A model's chat template: a Jinja program that writes a conversation as the model was trained to read it, with the semantics of
 * transformers' {@code apply_chat_template}. Immutable and thread-safe.
 *
 * <p>A rendered prompt tells what the template wrote from what the messages held ({@link Segment}), so that
 * {@link Tokenizer#encode(List, boolean)} reads {@code <|im_end|>} as the end of a turn only where the template put it.
 */
public final class ChatTemplate {
    private static final Pattern PLAIN_ROLE = Pattern.compile("[A-Za-z0-9_-]{1,64}");

    private final Template template;

    private ChatTemplate(Template template) {
        this.template = template;
    }

    /**
     * What a rendering gets besides the messages.
     *
     * @param addGenerationPrompt end with the start of the assistant's turn
     * @param specialTokens       {@code bos_token} and others by name; they count as the template's own text
     * @param variables           further variables ({@code tools}, {@code enable_thinking}); their strings are data
     * @param clock               for templates that write the date
     */
    public record Options(boolean addGenerationPrompt, Map<String, String> specialTokens, Map<String, Object> variables, Clock clock) {
        public Options {
            specialTokens = Map.copyOf(specialTokens);
            variables = new HashMap<>(variables);
        }

        /** The tokeniser's own special tokens, no further variables, the system's clock. */
        public static Options of(Tokenizer tokenizer, boolean addGenerationPrompt) {
            Map<String, String> tokens = new HashMap<>();
            tokenizer.bosId().ifPresent(id -> tokens.put("bos_token", tokenizer.token(id)));
            tokenizer.eosId().ifPresent(id -> tokens.put("eos_token", tokenizer.token(id)));
            tokenizer.unknownId().ifPresent(id -> tokens.put("unk_token", tokenizer.token(id)));
            tokenizer.paddingId().ifPresent(id -> tokens.put("pad_token", tokenizer.token(id)));
            return new Options(addGenerationPrompt, tokens, Map.of(), Clock.systemDefaultZone());
        }
    }

    /** @throws TemplateException for a syntax error or a construct that is not supported */
    public static ChatTemplate parse(String source) {
        return new ChatTemplate(Template.compile(source));
    }

    /** The template of a model folder: its chat_template.jinja, else {@code chat_template} of tokenizer_config.json. */
    public static Optional<ChatTemplate> load(Path folder) {
        return load(folder, ChatTemplateFiles.DEFAULT);
    }

    /**
     * A named template of a model folder.
     *
     * @param name {@code default}, or a name in the list of tokenizer_config.json or the folder additional_chat_templates
     * @throws FormatException if the files are malformed
     */
    public static Optional<ChatTemplate> load(Path folder, String name) {
        return Optional.ofNullable(ChatTemplateFiles.read(folder).get(name)).map(ChatTemplate::parse);
    }

    /** The template inside a GGUF model. */
    public static Optional<ChatTemplate> of(Gguf gguf) {
        String key = "tokenizer.chat_template";
        return gguf.has(key) ? Optional.of(parse(gguf.string(key))) : Optional.empty();
    }

    /**
     * The prompt of a conversation.
     *
     * @throws TemplateException if the template refuses the conversation ({@link TemplateException#isRefusal}) or fails
     */
    public List<Segment> render(List<Message> messages, Options options) {
        Map<String, Object> variables = new LinkedHashMap<>();
        variables.put("tools", null);
        variables.put("documents", null);
        variables.putAll(options.variables());
        options.specialTokens().forEach((name, token) -> variables.put(name, Text.template(token)));
        variables.put("messages", messages.stream().map(ChatTemplate::variables).toList());
        variables.put("add_generation_prompt", options.addGenerationPrompt());
        List<Segment> segments = new ArrayList<>();
        for (Text.Run run : template.render(variables, options.clock()).runs()) {
            segments.add(new Segment(run.value(), !run.isData()));
        }
        return segments;
    }

    private static Map<String, Object> variables(Message message) {
        Map<String, Object> variables = new LinkedHashMap<>();
        boolean plain = PLAIN_ROLE.matcher(message.role()).matches();
        variables.put("role", plain ? Text.template(message.role()) : message.role());
        variables.put("content", message.content());
        message.more().forEach(variables::putIfAbsent);
        return variables;
    }
}
