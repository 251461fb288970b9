package dev.t2l;

import dev.t2l.backend.Gate;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/** Keeps what a call works with open while it runs. */
final class Use implements AutoCloseable {
    private final Deque<Gate> entered = new ArrayDeque<>();

    /** @throws IllegalStateException if one of them is closed */
    Use(List<Gate> gates) {
        try {
            for (Gate gate : gates) {
                gate.enter();
                entered.push(gate);
            }
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    /** A model and the adapters of its requests. */
    static Use of(Gate model, List<Adaptation> adaptations) {
        var gates = new ArrayList<Gate>(List.of(model));
        adaptations.forEach(adaptation -> gates.addAll(adaptation.gates()));
        return new Use(gates);
    }

    @Override
    public void close() {
        while (!entered.isEmpty()) {
            entered.pop().leave();
        }
    }
}
