package dev.t2l.io;

import java.util.Arrays;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A repository of models on a hub, at a revision, and perhaps a file or folder in it: {@code owner/name[@revision][/path]}.
 *
 * @param revision a branch, tag or commit; {@code main} unless given
 * @param path     below the repository, empty for all of it
 */
public record HubId(String owner, String name, String revision, String path) {
    private static final Pattern SYNTAX = Pattern.compile("([\\w][\\w.-]{0,95})/([\\w][\\w.-]{0,95})(?:@([\\w.-]{1,100}))?(?:/(.+))?");

    /** Empty if {@code text} is written otherwise. */
    public static Optional<HubId> parse(String text) {
        Matcher parts = SYNTAX.matcher(text);
        if (!parts.matches()) {
            return Optional.empty();
        }
        String path = parts.group(4) == null ? "" : parts.group(4);
        return safe(path) ? Optional.of(new HubId(parts.group(1), parts.group(2), parts.group(3) == null ? "main" : parts.group(3), path)) : Optional.empty();
    }

    /** Whether a path of a repository stays inside it. */
    static boolean safe(String path) {
        return path.isEmpty() || !path.startsWith("/") && !path.contains("\\") && path.chars().noneMatch(c -> c < ' ')
                && Arrays.stream(path.split("/", -1)).noneMatch(part -> part.isEmpty() || part.equals(".") || part.equals(".."));
    }

    /** {@code owner/name}. */
    String repository() {
        return owner + "/" + name;
    }

    @Override
    public String toString() {
        return repository() + (revision.equals("main") ? "" : "@" + revision) + (path.isEmpty() ? "" : "/" + path);
    }
}
