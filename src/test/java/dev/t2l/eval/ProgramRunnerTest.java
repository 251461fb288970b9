package dev.t2l.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ProgramRunnerTest {
    private static final ProgramTest TEST = new ProgramTest("def square(x):\n    \"\"\" Squares. \"\"\"\n", "def check(candidate):\n    assert candidate(2) == 4\n", "square");
    private static ProgramRunner runner;

    @BeforeAll
    static void open() {
        try {
            runner = ProgramRunner.open();
        } catch (IllegalStateException e) {
            abort(e.getMessage());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"    return x * x\n", "```python\ndef square(x):\n    return x ** 2\n```", "Here:\n```\n    return x * x\n```\nDone.", "def square(x): return x * x"})
    void rightAnswersPass(String answer) {
        assertTrue(runner.passes(TEST.program(answer)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"    return x + x + 1\n", "", "    return (\n", "    raise SystemExit(0)\n", "    import os; os._exit(0)\n", "I cannot do that."})
    void wrongOnesDoNot(String answer) {
        assertFalse(runner.passes(TEST.program(answer)));
    }

    @Test
    void limitsHold() {
        assertTrue(runner.run("bytearray(1 << 31)").output().contains("MemoryError"));
        assertTrue(runner.run("import socket\nsocket.create_connection(('127.0.0.1', 9), 1)").output().contains("unreachable"));
        assertTrue(runner.passes("""
                import resource
                for name in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE):
                    try:
                        resource.setrlimit(name, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                    except (OSError, ValueError):
                        continue
                    raise AssertionError("lifted")
                """), "limits stay");
        assertFalse(runner.passes("open('large', 'wb').write(bytes(1 << 24))"));
        assertTrue(runner.passes("import os\nassert 'HOME' not in os.environ and os.listdir() == []"));
        ProgramRunner impatient = ProgramRunner.open(1);
        assertFalse(impatient.passes("while True: pass"), "processor time");
        assertFalse(impatient.passes("import time; time.sleep(60)"), "time");
    }

    @Test
    void whatItStartsEndsWithIt() {
        long before = System.nanoTime();
        assertTrue(runner.passes("import subprocess\nsubprocess.Popen(['sleep', '987654'])"));
        assertTrue(System.nanoTime() - before < 15e9);
        assertTrue(ProcessHandle.allProcesses().noneMatch(p -> p.info().commandLine().orElse("").contains("sleep 987654")));
    }

    @Test
    void whatItLocksIsNoReasonToStop() {
        assertTrue(runner.passes("import os\nos.mkdir('kept')\nopen('kept/x', 'w').close()\nos.chmod('kept', 0)"));
    }

    @Test
    void anEntryPointIsAName() {
        assertThrows(IllegalArgumentException.class, () -> new ProgramTest("", "", "f) or (1"));
        assertEquals(List.of("x", "y", "check(f)"), new ProgramTest("x\n", "y", "f").program("").lines().filter(line -> !line.isEmpty()).toList());
    }
}
