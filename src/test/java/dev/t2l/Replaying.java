package dev.t2l;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Recording;
import dev.t2l.tensor.Memory;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A backend that replays as a device does: the first run of a recording does its work, the second notes the calls, and every later one
 * makes these calls again with the same arguments. What a recording may not do fails the test. For many threads.
 */
final class Replaying {
    private static final Set<String> REFUSED = Set.of("allocate", "allocateUnwritten", "pinned", "download", "host", "place", "placement", "await", "lane", "record", "close");

    private record Call(Method method, Object[] arguments) {
    }

    private final Backend target;
    private final List<MemorySegment> pinned = new CopyOnWriteArrayList<>();
    private final ThreadLocal<List<Call>> recording = new ThreadLocal<>();
    final AtomicInteger recordings = new AtomicInteger();
    final AtomicInteger closed = new AtomicInteger();
    final AtomicInteger replays = new AtomicInteger();

    private Replaying(Backend target) {
        this.target = target;
    }

    static Replaying of(Backend target) {
        return new Replaying(target);
    }

    Backend backend() {
        return (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, (proxy, method, arguments) -> switch (method.getName()) {
            case "equals" -> proxy == arguments[0];
            case "replays" -> true;
            default -> call(method, arguments);
        });
    }

    private Object call(Method method, Object[] arguments) throws Throwable {
        List<Call> noted = recording.get();
        String name = method.getName();
        if (noted != null && (REFUSED.contains(name) || name.equals("upload") && !isPinned((MemorySegment) arguments[1]))) {
            throw new AssertionError(name + " in a recording");
        }
        if (name.equals("record")) {
            return new Recorded((Runnable) arguments[0]);
        }
        if (noted != null) {
            noted.add(new Call(method, arguments));
        }
        Object result = invoke(method, arguments);
        if (name.equals("pinned")) {
            pinned.add(((Memory) result).segment());
        }
        return result;
    }

    private boolean isPinned(MemorySegment segment) {
        return pinned.stream().anyMatch(p -> p.address() <= segment.address() && segment.address() + segment.byteSize() <= p.address() + p.byteSize());
    }

    private Object invoke(Method method, Object[] arguments) throws Throwable {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    private final class Recorded implements Recording {
        private final Runnable work;
        private boolean rehearsed;
        private List<Call> calls;
        private boolean open = true;

        Recorded(Runnable work) {
            this.work = work;
            recordings.incrementAndGet();
        }

        @Override
        public void run() {
            if (calls != null) {
                replay();
                return;
            }
            List<Call> noted = new ArrayList<>();
            recording.set(noted);
            try {
                work.run();
            } finally {
                recording.remove();
            }
            calls = rehearsed ? noted : null;
            rehearsed = true;
        }

        private void replay() {
            replays.incrementAndGet();
            for (Call call : calls) {
                try {
                    invoke(call.method(), call.arguments());
                } catch (Throwable t) {
                    throw new AssertionError(t);
                }
            }
        }

        @Override
        public void close() {
            if (open) {
                open = false;
                closed.incrementAndGet();
            }
        }
    }
}
