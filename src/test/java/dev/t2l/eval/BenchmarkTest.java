package dev.t2l.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.io.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BenchmarkTest {
    @TempDir
    Path folder;

    private EvalTask read(String name, String line) {
        try {
            return Benchmark.of(name).read(Files.writeString(folder.resolve(name + ".jsonl"), line + "\n"), List.of("d"));
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            arc_challenge | {"question": "q", "choices": {"text": ["x", "y", "z"], "label": ["1", "2", "3"]}, "answerKey": "3"}       | 3 | q;;1: x;2: y;3: z;4: N/A;;You must
            arc_easy      | {"question": "q", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "B"}                 | B | choice.;;q;;A: x;B: y;C: N/A;D: N/A;;
            openbookqa    | {"question_stem": "q", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "A"}            | A | q;;A: x;B: y;;You must
            hellaswag     | {"ctx": "q", "endings": ["w", "x", "y", "z"], "label": "3"}                                               | 3 | Passage: q;;0: w;1: x;2: y;3: z;;You
            piqa          | {"goal": "q", "sol1": "x", "sol2": "y", "label": 1}                                                       | 1 | q""\";;0: x;1: y;;
            winogrande    | {"sentence": "q", "option1": "x", "option2": "y", "answer": "1"}                                          | 1 | q;;Which option is correct?;;Option 1: x
            mmlu          | {"question": "q", "choices": ["x", "y", "z", "w"], "answer": 2}                                           | C | q;;A: x;B: y;C: z;D: w
            """)
    void choices(String name, String line, String right, String asked) {
        EvalTask task = read(name, line);
        EvalExample example = task.tests().getFirst();
        assertEquals(right, example.output());
        assertTrue(example.input().contains(asked.replace(';', '\n')), example.input());
        assertTrue(task.isChoice());
        assertEquals(1, task.metric().score(" " + right + ", because", example));
        assertEquals(1, task.metric().score("`(" + right.toLowerCase(java.util.Locale.ROOT) + ")", example));
        assertEquals(0, task.metric().score("the " + right, example));
        assertEquals(0, task.metric().score("", example));
        assertEquals(!name.equals("mmlu"), task.shots().isPresent());
        assertEquals(name.equals("mmlu") ? "+ description, 3 examples" : "+ published examples", new Columns(0, 1).withExamples(List.of(task)).title());
        task.shots().ifPresent(shots -> {
            assertEquals("Answer:", shots.prefill());
            assertTrue(shots.before("in").startsWith("\nHere are some examples of the tasks you will be asked to solve.\n\n## Example 1\n")
                    && shots.before("in").endsWith("\n\n\nin"));
        });
    }

    @Test
    void theRightOneIsNotAlwaysTheFirst() throws IOException {
        String line = "{\"question\": \"q\", \"mc1_targets\": {\"choices\": [\"right\", \"x\", \"y\", \"z\"], \"labels\": [1, 0, 0, 0]}}\n";
        EvalTask task = Benchmark.TRUTHFULQA.read(Files.writeString(folder.resolve("t.jsonl"), line.repeat(20)), List.of());
        assertTrue(task.tests().stream().map(EvalExample::output).distinct().count() > 2);
        task.tests().forEach(example -> assertTrue(example.input().contains(example.output() + ": right")));
    }

    @Test
    void answersInWords() {
        EvalTask boolq = read("boolq", "{\"question\": \"is it\", \"passage\": \"p\", \"answer\": true}");
        assertEquals(1, boolq.metric().score("The answer is TRUE, not false.", boolq.tests().getFirst()));
        assertEquals(0, boolq.metric().score("No, it is true that", boolq.tests().getFirst()));
        assertEquals(0, boolq.metric().score("untrue", boolq.tests().getFirst()));
        EvalTask gsm = read("gsm8k", "{\"question\": \"q\", \"answer\": \"<<2*3=6>>6\\n#### 1,006\"}");
        assertEquals("Let's think step by step. ", gsm.prefill());
        assertEquals("Please answer the following question: q\n\n", gsm.tests().getFirst().input());
        assertEquals("", gsm.shots().orElseThrow().prefill());
        assertEquals(1, gsm.metric().score("so 1006.", gsm.tests().getFirst()));
    }

    @Test
    void programs() {
        EvalTask mbpp = read("mbpp", "{\"text\": \"Square.\", \"code\": \"c\", \"test_list\": [\"assert sq(2) == 4\", \"assert sq(3) == 9\"]}");
        EvalExample example = mbpp.tests().getFirst();
        assertEquals("Square. Your code should satisfy the following assertion:\n```python\nassert sq(2) == 4\n```", example.input());
        assertEquals("```python", example.test().orElseThrow().prefill());
        String program = example.test().orElseThrow().program("\ndef sq(x):\n    return x * x\n```\nIt squares:\n```python\nsq(3)\n```");
        assertTrue(program.startsWith("\ndef sq(x):\n    return x * x\n\n"), program);
        assertTrue(program.contains("    assert sq(3) == 9\n") && !program.contains("It squares"), program);
        EvalTask prepared = read("mbpp", "{\"prompt\": \"Root\", \"code\": \"c\", \"test_imports\": [\"import math\"], \"test_list\": [\"assert math.isclose(root(4), 2)\"]}");
        assertTrue(prepared.tests().getFirst().input().startsWith("Root. Your"));
        assertTrue(prepared.tests().getFirst().test().orElseThrow().program("\ndef root(x): return 2").contains("\nimport math\ndef check(_):\n"));
        EvalTask human = read("humaneval", "{\"prompt\": \"def f():\\n\", \"entry_point\": \"f\", \"test\": \"def check(f): pass\", \"canonical_solution\": \" pass\"}");
        assertEquals("```python\ndef f():", human.tests().getFirst().test().orElseThrow().prefill());
        assertEquals("def f():\n\n    return 1\n\ndef check(f): pass\ncheck(f)\n", human.tests().getFirst().test().orElseThrow().program("\n    return 1\n```"));
        assertEquals("in", human.shots().orElseThrow().before("in"), "asked without examples");
    }

    @Test
    void filesAreFoundByName() throws IOException {
        assertTrue(Benchmark.PIQA.in(folder).isEmpty());
        Path file = Files.writeString(folder.resolve("piqa_validation.jsonl.gz"), "");
        assertEquals(file, Benchmark.PIQA.in(folder).orElseThrow());
        assertTrue(Benchmark.ARC_EASY.in(folder).isEmpty());
    }

    @Test
    void whatCannotBeScoredIsRefused() {
        assertThrows(FormatException.class, () -> read("hellaswag", "{\"ctx\": \"q\", \"endings\": [\"w\"], \"label\": \"\"}"));
        FormatException unanswered = assertThrows(FormatException.class, () -> read("piqa", "{\"goal\": \"q\", \"sol1\": \"x\", \"sol2\": \"y\", \"label\": -1}"));
        assertTrue(unanswered.getMessage().contains("piqa.jsonl: line 1"), unanswered.getMessage());
        assertThrows(FormatException.class, () -> read("arc_easy", "{\"question\": \"q\", \"choices\": {\"text\": [\"x\"], \"label\": [\"A\"]}, \"answerKey\": \"E\"}"));
        assertThrows(FormatException.class, () -> read("gsm8k", "{\"question\": \"q\"}"));
        assertTrue(assertThrows(IllegalArgumentException.class, () -> Benchmark.of("gsm8")).getMessage().contains("did you mean 'gsm8k'?"));
    }
}
