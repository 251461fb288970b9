package dev.t2l.train;

import dev.t2l.data.Section;
import java.nio.file.Path;
import java.util.List;

/** Where tasks come from: a folder or file, or the configuration itself. */
sealed interface TaskSource {
    record Stored(Path path) implements TaskSource {
    }

    record Inline(List<Section> tasks) implements TaskSource {
    }
}
