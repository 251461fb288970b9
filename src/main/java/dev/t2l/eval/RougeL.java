package dev.t2l.eval;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** ROUGE-L (Lin 2004): how long the longest common subsequence of two texts' words is. Words are runs of letters and digits, in lower case, not stemmed. */
final class RougeL {
    private static final Pattern WORD = Pattern.compile("[\\p{L}\\p{M}\\p{N}]+");

    private RougeL() {
    }

    /** The harmonic mean of precision and recall, 0 to 1. */
    static double f1(String answer, String reference) {
        List<String> said = words(answer);
        List<String> wanted = words(reference);
        if (said.isEmpty() || wanted.isEmpty()) {
            return 0;
        }
        return 2.0 * longestCommonSubsequence(said, wanted) / (said.size() + wanted.size());
    }

    private static List<String> words(String text) {
        List<String> words = new ArrayList<>();
        Matcher m = WORD.matcher(text.toLowerCase(Locale.ROOT));
        while (m.find()) {
            words.add(m.group());
        }
        return words;
    }

    private static int longestCommonSubsequence(List<String> a, List<String> b) {
        int[] row = new int[b.size() + 1];
        for (String word : a) {
            int diagonal = 0;
            for (int j = 1; j < row.length; j++) {
                int above = row[j];
                row[j] = word.equals(b.get(j - 1)) ? diagonal + 1 : Math.max(above, row[j - 1]);
                diagonal = above;
            }
        }
        return row[b.size()];
    }
}
