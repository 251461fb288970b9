package dev.t2l.experiment;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;

/** Sets of tasks to train on. */
final class TaskSets {
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
}
