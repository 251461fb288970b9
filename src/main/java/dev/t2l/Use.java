package dev.t2l;

import dev.t2l.backend.Gate;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/** Keeps a model and the adapters of its requests open while they run. */
final class Use implements AutoCloseable {
    private final Deque<Gate> entered = new ArrayDeque<>();

    Use(Gate model, List<Request> requests) {
        try {
            enter(model);
            for (Request request : requests) {
                request.adaptation().parts().forEach(part -> enter(part.adapter().gate()));
            }
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    private void enter(Gate gate) {
        gate.enter();
        entered.push(gate);
    }

    @Override
    public void close() {
        while (!entered.isEmpty()) {
            entered.pop().leave();
        }
    }
}
