package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Placement;
import java.util.function.BiFunction;
import java.util.function.Supplier;

/** How a model is made from an open file. */
final class Placed {
    private Placed() {
    }

    /**
     * The model, which owns the file and what is placed of it; if there is none, both are closed at once.
     *
     * @param make from where its weights go, and what it runs when it is closed
     */
    static <M> M model(Backend backend, Runnable closeFile, BiFunction<Placement, Runnable, M> make) {
        return model(backend::placement, closeFile, make);
    }

    /** The same with a placement of the caller's making, which the model takes over. */
    static <M> M model(Supplier<Placement> where, Runnable closeFile, BiFunction<Placement, Runnable, M> make) {
        Placement placement;
        try {
            placement = where.get();
        } catch (RuntimeException | Error e) {
            closeFile.run();
            throw e;
        }
        Runnable release = () -> {
            placement.close();
            closeFile.run();
        };
        try {
            return make.apply(placement, release);
        } catch (RuntimeException | Error e) {
            release.run();
            throw e;
        }
    }
}
