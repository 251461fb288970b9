package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.t2l.ops.Sample;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Samplers against the words of {@link Backend#sample}, done the slow way in double: sorted lists. A token may differ from that only
 * where topP, minP or u within 1e-6 of what was asked would choose it, too; the tests count how often that was so.
 */
@Tag("cuda")
class SampleTest {
    private static final double NEAR = 1e-6;
    private final SplittableRandom random = new SplittableRandom(7);

    /** What is asked of one row. */
    private record Choice(float temperature, int topK, float topP, float minP, float u) {
    }

    /** The tokens that one row's choice means, and those it would mean for a u within {@link #NEAR}. */
    private static List<Integer> expected(float[] logits, Integer[] likeliestFirst, double temperature, int topK, double topP, double minP, double u) {
        double max = logits[likeliestFirst[0]];
        List<Integer> kept = Arrays.asList(likeliestFirst);
        if (topK > 0) {
            kept = kept.subList(0, Math.min(topK, kept.size()));
        }
        if (topP < 1) {
            double whole = sum(kept, logits, max, temperature);
            int n = 1;
            for (double reached = probability(logits[kept.get(0)], max, temperature); n < kept.size() && reached < topP * whole; n++) {
                reached += probability(logits[kept.get(n)], max, temperature);
            }
            kept = kept.subList(0, n);
        }
        kept = new ArrayList<>(kept);
        kept.removeIf(v -> probability(logits[v], max, temperature) < minP);
        kept.sort(null);
        double whole = sum(kept, logits, max, temperature);
        double running = 0;
        var near = new ArrayList<Integer>();
        for (int v : kept) {
            double before = running;
            running += probability(logits[v], max, temperature);
            if (running > before && running > (u - NEAR) * whole && before <= (u + NEAR) * whole) {
                near.add(v);
            }
        }
        return near;
    }

    private static double probability(double logit, double max, double temperature) {
        return Math.exp((logit - max) / temperature);
    }

    private static double sum(List<Integer> tokens, float[] logits, double max, double temperature) {
        return tokens.stream().mapToDouble(v -> probability(logits[v], max, temperature)).sum();
    }

    /** All tokens that choices near to this one mean. */
    private static TreeSet<Integer> allowed(float[] logits, Integer[] likeliestFirst, Choice c) {
        var tokens = new TreeSet<Integer>();
        if (c.temperature() == 0) {
            tokens.add(likeliestFirst[0]);
            return tokens;
        }
        for (int p = c.topP() < 1 ? -1 : 0; p <= (c.topP() < 1 ? 1 : 0); p++) {
            for (int m = c.minP() > 0 ? -1 : 0; m <= (c.minP() > 0 ? 1 : 0); m++) {
                tokens.addAll(expected(logits, likeliestFirst, c.temperature(), c.topK(), c.topP() + p * NEAR, c.minP() * (1 + m * NEAR), c.u()));
            }
        }
        return tokens;
    }

    private static Integer[] likeliestFirst(float[] logits) {
        return IntStream.range(0, logits.length).boxed().sorted(Comparator.comparingDouble(v -> -(logits[v] + 0.0))).toArray(Integer[]::new);
    }

    private static int[] sample(Backend backend, float[][] logits, List<Choice> choices) {
        int m = choices.size();
        int vocabulary = logits[0].length;
        Tensor tokens = Tensor.allocate(Arena.ofAuto(), DType.I32, m);
        Tensor rows = KernelData.zeros(m, vocabulary);
        Tensor asked = KernelData.zeros(m, Sample.CHOICES);
        for (int r = 0; r < m; r++) {
            float[] row = logits[r % logits.length];
            for (int v = 0; v < vocabulary; v++) {
                rows.setFloat((long) r * vocabulary + v, row[v]);
            }
            Choice c = choices.get(r);
            float[] values = {c.temperature(), c.topK(), c.topP(), c.minP(), c.u()};
            for (int i = 0; i < values.length; i++) {
                asked.setFloat((long) r * values.length + i, values[i]);
            }
        }
        Sample.forward(backend, tokens, rows, asked);
        return IntStream.range(0, m).map(tokens::getInt).toArray();
    }

    /** Samples all choices in one call, from the rows of logits in turn; how many had more than one allowed token. */
    private static int check(Backend backend, float[][] logits, List<Choice> choices) {
        int[] got = sample(backend, logits, choices);
        Integer[][] sorted = Arrays.stream(logits).map(SampleTest::likeliestFirst).toArray(Integer[][]::new);
        int open = 0;
        for (int r = 0; r < got.length; r++) {
            int i = r % logits.length;
            TreeSet<Integer> tokens = allowed(logits[i], sorted[i], choices.get(r));
            int row = r;
            assertTrue(tokens.contains(got[r]), () -> "row " + row + " of " + logits[i].length + " logits, " + choices.get(row) + ": token " + got[row] + ", wanted " + tokens);
            open += tokens.size() > 1 ? 1 : 0;
        }
        return open;
    }

    /** Logits as of a model: most far below a few. */
    private float[] model(int vocabulary, double spread) {
        float[] logits = new float[vocabulary];
        for (int v = 0; v < vocabulary; v++) {
            logits[v] = (float) (spread * random.nextGaussian() - 2 + (random.nextInt(50) == 0 ? 4 * spread * random.nextDouble() : 0));
        }
        return logits;
    }

    private float[] ties(int vocabulary, int values) {
        float[] logits = new float[vocabulary];
        for (int v = 0; v < vocabulary; v++) {
            int i = random.nextInt(values);
            logits[v] = i == 0 && v % 2 == 0 ? -0f : i;
        }
        return logits;
    }

    private List<Choice> choices(int count) {
        var choices = new ArrayList<Choice>();
        for (int i = 0; i < count; i++) {
            choices.add(new Choice(pick(0, 0.3f, 0.7f, 1, 1.5f), (int) pick(0, 0, 1, 2, 7, 50, 1000, 1e6f), pick(1, 1, 1e-6f, 0.3f, 0.9f, 0.999f),
                    pick(0, 0, 0.02f, 0.3f, 0.99f), random.nextInt(20) == 0 ? 0 : random.nextInt(1 << 24) * 0x1p-24f));
        }
        return choices;
    }

    private float pick(float... values) {
        return values[random.nextInt(values.length)];
    }

    private void draws(Backend backend) {
        int open = 0;
        int all = 0;
        for (int vocabulary : new int[] {1, 2, 5, 33, 1000, 4099, 32_000}) {
            for (float[][] logits : new float[][][] {{model(vocabulary, 3), model(vocabulary, 0.2), model(vocabulary, 20)}, {ties(vocabulary, 2), ties(vocabulary, 9)}}) {
                int count = vocabulary > 5000 ? 24 : 60;
                open += check(backend, logits, choices(count));
                all += count;
            }
        }
        assertTrue(open < all / 20, open + " of " + all + " draws were too near a boundary to say much");
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void drawsAsDescribed(Target target) {
        try (Backend backend = target.open(2)) {
            draws(backend);
        }
    }

    @Test
    void javaDrawsAsDescribed() {
        withJava(this::draws);
    }

    private static void withJava(Consumer<Backend> test) {
        try (Backend java = new JavaBackend()) {
            test.accept(java);
        }
    }

    /** All tokens equal: every filter cuts inside one tie, and what u means is exact. */
    private static void cutsTies(Backend backend) {
        for (int vocabulary : new int[] {64, 4096, 262_144}) {
            float[][] logits = {new float[vocabulary]};
            var choices = new ArrayList<Choice>();
            var wanted = new ArrayList<Integer>();
            for (int place : new int[] {0, 1, vocabulary / 3, vocabulary / 2, vocabulary - 1}) {
                float u = (place + 0.5f) / vocabulary;
                choices.add(new Choice(1, 0, 1, 0, u));
                wanted.add(place);
                choices.add(new Choice(0.7f, vocabulary / 2, 1, 1, u));
                wanted.add(place / 2);
                choices.add(new Choice(1, 0, 0.25f, 0, u));
                wanted.add(place / 4);
                choices.add(new Choice(1, vocabulary / 2, 0.5f, 0.5f, u));
                wanted.add(place / 4);
                choices.add(new Choice(0, 5, 0.5f, 0, u));
                wanted.add(0);
            }
            assertArrayEquals(wanted.stream().mapToInt(t -> t).toArray(), sample(backend, logits, choices), vocabulary + " equal tokens");
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void cutsTiesByTheirIds(Target target) {
        try (Backend backend = target.open(2)) {
            cutsTies(backend);
        }
    }

    @Test
    void javaCutsTiesByTheirIds() {
        withJava(SampleTest::cutsTies);
    }

    private void largest(Backend backend) {
        for (int vocabulary : new int[] {128_256, 262_144}) {
            float[] logits = model(vocabulary, 2.5);
            logits[vocabulary - 3] = 30;
            logits[vocabulary - 1] = 30;
            int[] got = sample(backend, new float[][] {logits}, List.of(new Choice(0, 0, 1, 0, 0), new Choice(1, 1, 1, 0, 0.9f), new Choice(1, 0, 1e-3f, 0, 0.9f), new Choice(1, 2, 1, 0, 0.9f)));
            assertArrayEquals(new int[] {vocabulary - 3, vocabulary - 3, vocabulary - 3, vocabulary - 1}, got);
            check(backend, new float[][] {model(vocabulary, 3)}, List.of(new Choice(0.8f, 50, 0.95f, 0, 0.37f), new Choice(1, 0, 0.9f, 0, 0.73f), new Choice(1, 0, 1, 0.05f, 0.5f)));
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void largeVocabularies(Target target) {
        try (Backend backend = target.open(2)) {
            largest(backend);
        }
    }

    private static void broken(Backend backend) {
        float inf = Float.POSITIVE_INFINITY;
        for (int vocabulary : new int[] {3, 5000}) {
            float[][] logits = new float[7][vocabulary];
            logits[0][vocabulary - 1] = Float.NaN;
            logits[1][0] = Float.intBitsToFloat(0xffc00000);
            logits[2][1] = inf;
            Arrays.fill(logits[3], -inf);
            logits[4][0] = -inf; // a token that cannot be: no harm
            Arrays.fill(logits[5], -inf);
            logits[5][2] = -3e38f;
            logits[6][1] = Float.MIN_VALUE;
            for (Choice c : List.of(new Choice(0, 0, 1, 0, 0.5f), new Choice(1, 0, 1, 0, 0), new Choice(1, 2, 0.9f, 0.1f, 0.1f))) {
                int[] got = sample(backend, logits, java.util.Collections.nCopies(7, c));
                int[] first = Arrays.copyOf(got, 4);
                assertArrayEquals(new int[] {-1, -1, -1, -1}, first, c.toString());
                assertEquals(1, got[4], c.toString());
                assertEquals(2, got[5], c.toString());
                assertEquals(c.temperature() == 0 ? 1 : 0, got[6], c.toString());
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void brokenLogitsGiveNoToken(Target target) {
        try (Backend backend = target.open(2)) {
            broken(backend);
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void rowsDoNotDependOnTheBatch(Target target) {
        try (Backend backend = target.open(2)) {
            float[][] logits = {model(9001, 3)};
            List<Choice> choices = choices(64);
            int[] all = sample(backend, logits, choices);
            for (int r = 0; r < all.length; r += 5) {
                assertEquals(all[r], sample(backend, logits, choices.subList(r, r + 1))[0]);
            }
        }
    }

    @Test
    void shapesAreChecked() {
        withJava(java -> {
            Tensor tokens = Tensor.allocate(Arena.ofAuto(), DType.I32, 2);
            Tensor choices = KernelData.zeros(2, 5);
            assertThrows(IllegalArgumentException.class, () -> Sample.forward(java, tokens, KernelData.zeros(3, 8), choices));
            assertThrows(IllegalArgumentException.class, () -> Sample.forward(java, tokens, KernelData.zeros(2, 0), choices));
            assertThrows(IllegalArgumentException.class, () -> Sample.forward(java, tokens, KernelData.zeros(2, 8), KernelData.zeros(2, 4)));
            assertThrows(IllegalArgumentException.class, () -> Sample.forward(java, KernelData.zeros(2), KernelData.zeros(2, 8), choices));
        });
    }

    @Test
    void theHostAllocatesNothing() {
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        Tensor tokens = Tensor.allocate(Arena.ofAuto(), DType.I32, 2);
        Tensor logits = Tensor.ofFloats(model(600, 3), 2, 300);
        Tensor choices = Tensor.ofFloats(new float[] {0, 0, 1, 0, 0, 0.8f, 40, 0.9f, 0.05f, 0.5f}, 2, 5);
        withJava(java -> {
            long left = Long.MAX_VALUE;
            for (int round = 0; round < 20 && left != 0; round++) {
                long before = threads.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < 1000; i++) {
                    Sample.forward(java, tokens, logits, choices);
                }
                left = threads.getCurrentThreadAllocatedBytes() - before;
            }
            assertEquals(0, left, "bytes in 1000 calls");
        });
    }
}
