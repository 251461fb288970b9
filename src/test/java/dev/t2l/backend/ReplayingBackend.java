package dev.t2l.backend;

import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/**
 * A host backend that records as a device does: what {@link Backend#record}ed work calls is noted, not run, and a replay makes the same
 * calls with the same arguments, without the code that made them. As on a device, pinned memory is read and written until it is waited
 * for, and memory that is to be written first holds what it holds. It counts memory, and refuses what a recording must not do.
 */
public final class ReplayingBackend {
    private static final Set<String> NEVER_RECORDED = Set.of("allocate", "allocateUnwritten", "pinned", "download", "host", "place", "placement", "await", "lane", "record");
    private static final Set<String> QUESTIONS = Set.of("name", "description", "passRows", "idleBytes", "toString", "hashCode", "equals");

    private record Call(Method method, Object[] arguments) {
    }

    private final Backend target;
    private final Backend proxy = (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, (_, method, arguments) -> call(method, arguments));
    private final List<MemorySegment> pinned = new ArrayList<>();
    private final List<Runnable> pending = new ArrayList<>();
    private List<Call> recording;
    private int recordings;
    private int replays;
    private long allocated;
    private long room = Long.MAX_VALUE;
    private RuntimeException failure;

    public ReplayingBackend(Backend target) {
        this.target = target;
    }

    /** The backend for the code under test. */
    public Backend backend() {
        return proxy;
    }

    /** Recordings made so far. */
    public int recordings() {
        return recordings;
    }

    /** Replays so far. */
    public int replays() {
        return replays;
    }

    /** Bytes that were allocated and not freed. */
    public long allocated() {
        return allocated;
    }

    /** No more than so many bytes can be allocated. */
    public void limit(long bytes) {
        room = bytes;
    }

    /** From now on waiting for the device throws this; null for nothing. */
    public void fail(RuntimeException now) {
        failure = now;
    }

    private Object call(Method method, Object[] arguments) throws Throwable {
        String name = method.getName();
        if (recording != null && !QUESTIONS.contains(name)) {
            return note(method, arguments);
        }
        return switch (name) {
            case "decoding", "prefilling" -> proxy;
            case "replays" -> true;
            case "record" -> record((Runnable) arguments[0]);
            case "allocate" -> counted((long) arguments[0], (Memory) invoke(method, arguments));
            case "allocateUnwritten" -> {
                Memory memory = counted((long) arguments[0], (Memory) invoke(method, arguments));
                memory.segment().fill((byte) -1); // not a number, in any float type
                yield memory;
            }
            case "pinned" -> {
                Memory memory = counted((long) arguments[0], (Memory) invoke(method, arguments));
                pinned.add(memory.segment());
                yield memory;
            }
            case "await" -> {
                if (failure != null) {
                    throw failure;
                }
                finish();
                yield null;
            }
            case "download", "host" -> {
                finish();
                yield invoke(method, arguments);
            }
            default -> run(method, arguments);
        };
    }

    private Object note(Method method, Object[] arguments) {
        String name = method.getName();
        if (NEVER_RECORDED.contains(name)) {
            throw new IllegalStateException(name + " in a recording");
        }
        if (name.equals("upload") && !isPinned((MemorySegment) arguments[1])) {
            throw new IllegalStateException("a recorded upload of " + (Tensor) arguments[0] + " from memory that is not pinned");
        }
        if (name.equals("decoding") || name.equals("prefilling")) {
            return proxy;
        }
        if (method.getReturnType() != void.class) {
            throw new IllegalStateException(name + " has a result, which a replay would not see");
        }
        recording.add(new Call(method, arguments));
        return null;
    }

    private Recording record(Runnable work) {
        recordings++;
        List<Call> calls = new ArrayList<>();
        recording = calls;
        try {
            work.run();
        } finally {
            recording = null;
        }
        return new Recording() {
            private boolean closed;

            @Override
            public void run() {
                if (closed) {
                    throw new IllegalStateException("a closed recording");
                }
                replays++;
                try {
                    for (Call call : calls) {
                        ReplayingBackend.this.run(call.method(), call.arguments());
                    }
                } catch (RuntimeException | Error e) {
                    throw e;
                } catch (Throwable t) {
                    throw new IllegalStateException(t);
                }
            }

            @Override
            public void close() {
                closed = true;
            }
        };
    }

    private Memory counted(long bytes, Memory memory) {
        if (allocated + bytes > room) {
            memory.close();
            throw new IllegalStateException("no room for " + bytes + " bytes");
        }
        allocated += bytes;
        return new Memory(memory.segment(), () -> {
            allocated -= bytes;
            memory.close();
        });
    }

    private boolean isPinned(MemorySegment memory) {
        return pinned.stream().anyMatch(block -> block.address() == memory.address());
    }

    /** What a device does later than it is called, up to now. */
    private void finish() {
        List<Runnable> due = List.copyOf(pending);
        pending.clear();
        due.forEach(Runnable::run);
    }

    /** A device may read the source as late as when it is waited for. */
    private void expectUnchanged(MemorySegment source) {
        byte[] now = source.toArray(ValueLayout.JAVA_BYTE);
        pending.add(() -> {
            if (source.scope().isAlive() && !Arrays.equals(now, source.toArray(ValueLayout.JAVA_BYTE))) {
                throw new IllegalStateException("pinned memory was written before the upload from it was waited for");
            }
        });
    }

    /** As late as that, the host sees the result. */
    private Object sample(Method method, Tensor tokens, Object[] arguments) throws Throwable {
        Tensor chosen = Tensor.allocate(Arena.ofAuto(), tokens.dtype(), tokens.shape());
        pending.add(() -> MemorySegment.copy(chosen.data(), 0, tokens.data(), 0, tokens.bytes()));
        return invoke(method, chosen, arguments[1], arguments[2]);
    }

    private Object run(Method method, Object[] arguments) throws Throwable {
        if (method.getName().equals("upload") && isPinned((MemorySegment) arguments[1])) {
            expectUnchanged((MemorySegment) arguments[1]);
        }
        return method.getName().equals("sample") ? sample(method, (Tensor) arguments[0], arguments) : invoke(method, arguments);
    }

    private Object invoke(Method method, Object... arguments) throws Throwable {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
