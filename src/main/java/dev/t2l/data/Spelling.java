package dev.t2l.data;

import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;

/** Which known name an unknown one was meant to be. */
public final class Spelling {
    private Spelling() {
    }

    /** The nearest name, if at most a third of its letters differ (Levenshtein 1966). */
    public static Optional<String> nearest(String word, Collection<String> names) {
        return names.stream().filter(name -> distance(word, name) <= Math.max(1, Math.max(word.length(), name.length()) / 3))
                .min(Comparator.comparingInt(name -> distance(word, name)));
    }

    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int substituted = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(substituted, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.length()];
    }
}
