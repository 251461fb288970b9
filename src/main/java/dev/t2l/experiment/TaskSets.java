package dev.t2l.experiment;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import java.util.stream.IntStream;

/** Sets of tasks to train on. */
final class TaskSets {
    /** Nine of the training tasks, of six families, each with at least 60 test lines. */
    private static final List<String> NINE = List.of("atis_depart_day", "bbh_sports_understanding", "cls_agnews", "cls_imdb", "ii_first_word_letter", "ii_singular_to_plural",
            "lama_p103_native_language", "sni875_emotion", "tomqa151_find_location");

    private TaskSets() {
    }

    /**
     * The first of a shuffle, in the order of {@code all}.
     *
     * @throws IllegalArgumentException if there are fewer
     */
    static List<String> drawn(List<String> all, int count, long seed) {
        if (count > all.size()) {
            throw new IllegalArgumentException("wanted " + count + " training tasks, there are " + all.size());
        }
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < all.size(); i++) {
            order.add(i);
        }
        Collections.shuffle(order, new Random(seed));
        return new TreeSet<>(order.subList(0, count)).stream().map(all::get).toList();
    }

    /** {@link #NINE}, if all of them are there; else nine that are drawn, or all. */
    static List<String> nine(List<String> all, long seed) {
        return all.containsAll(NINE) ? NINE : drawn(all, Math.min(NINE.size(), all.size()), seed);
    }

    /** Those of these numbers that are below that of all, and that of all. */
    static List<Integer> sizes(int all, int... wanted) {
        return IntStream.concat(Arrays.stream(wanted).filter(size -> size < all), IntStream.of(all)).boxed().toList();
    }
}
