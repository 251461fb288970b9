package dev.t2l.io;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** The few Python names that a state dict needs, and what they make: tensors over the archive's records. */
final class TorchObjects implements Unpickler.Objects {
    private static final int MAX_DIMS = 64;
    private static final long COPY_ALLOWANCE = 64L << 20;

    private enum Callable {
        ORDERED_DICT, TENSOR, PARAMETER, SIZE
    }

    private record StorageType(DType dtype) {
    }

    /** A record of {@code elements} values; {@code data} has exactly their bytes. */
    private record Storage(DType dtype, MemorySegment data, long elements) {
    }

    private static final Map<String, Object> PERMITTED = Map.ofEntries(
            Map.entry("collections.OrderedDict", Callable.ORDERED_DICT),
            Map.entry("torch._utils._rebuild_tensor_v2", Callable.TENSOR),
            Map.entry("torch._utils._rebuild_parameter", Callable.PARAMETER),
            Map.entry("torch.Size", Callable.SIZE),
            Map.entry("torch.FloatStorage", new StorageType(DType.F32)), Map.entry("torch.DoubleStorage", new StorageType(DType.F64)),
            Map.entry("torch.HalfStorage", new StorageType(DType.F16)), Map.entry("torch.BFloat16Storage", new StorageType(DType.BF16)),
            Map.entry("torch.LongStorage", new StorageType(DType.I64)), Map.entry("torch.IntStorage", new StorageType(DType.I32)),
            Map.entry("torch.ShortStorage", new StorageType(DType.I16)), Map.entry("torch.CharStorage", new StorageType(DType.I8)),
            Map.entry("torch.ByteStorage", new StorageType(DType.U8)), Map.entry("torch.BoolStorage", new StorageType(DType.BOOL)),
            Map.entry("torch.ComplexFloatStorage", new StorageType(DType.C64)));

    private final MappedFile file;
    private final Map<String, ZipDirectory.Entry> records;
    private final String prefix;
    private long copyBudget;

    /** @param prefix of the storages' records, such as {@code archive/data/} */
    TorchObjects(MappedFile file, Map<String, ZipDirectory.Entry> records, String prefix) {
        this.file = file;
        this.records = records;
        this.prefix = prefix;
        this.copyBudget = 2 * file.size() + COPY_ALLOWANCE;
    }

    @Override
    public Object global(String module, String name) {
        Object meaning = PERMITTED.get(module + "." + name);
        if (meaning == null) {
            throw problem("asks for " + module + "." + name + "; only tensors and plain containers are read, nothing is ever called");
        }
        return meaning;
    }

    @Override
    public Object call(Object callable, Unpickler.Tuple arguments) {
        if (!(callable instanceof Callable known)) {
            throw problem("calls something that is no permitted function");
        }
        return switch (known) {
            case ORDERED_DICT -> {
                want(arguments.size() == 0, "OrderedDict() without arguments", arguments);
                yield new LinkedHashMap<>();
            }
            case SIZE -> {
                want(arguments.size() == 1 && arguments.get(0) instanceof Unpickler.Tuple, "torch.Size(tuple)", arguments);
                yield arguments.get(0);
            }
            case PARAMETER -> {
                want(arguments.size() == 3 && arguments.get(0) instanceof Tensor, "_rebuild_parameter(tensor, bool, dict)", arguments);
                yield arguments.get(0);
            }
            case TENSOR -> tensor(arguments);
        };
    }

    /** An OrderedDict's attributes (a state dict's {@code _metadata}) say nothing about its tensors. */
    @Override
    public void build(Object object, Object state) {
        if (!(object instanceof LinkedHashMap<?, ?>) || !(state instanceof LinkedHashMap<?, ?>)) {
            throw problem("sets attributes of something that is no OrderedDict");
        }
    }

    @Override
    public Object persistent(Object id) {
        if (!(id instanceof Unpickler.Tuple t) || t.size() != 5 || !"storage".equals(t.get(0)) || !(t.get(1) instanceof StorageType type)
                || !(t.get(2) instanceof String key) || !(t.get(4) instanceof Long elements)) {
            throw problem("a persistent id that is no ('storage', type, key, location, elements)");
        }
        ZipDirectory.Entry record = records.get(prefix + key);
        if (record == null) {
            throw problem("there is no record '" + abbreviated(prefix + key) + "'");
        }
        if (elements < 0 || elements > record.size() / type.dtype().blockBytes()) {
            throw problem("storage '" + key + "' of " + elements + " " + type.dtype() + " values needs more than the " + record.size() + " bytes of its record");
        }
        return new Storage(type.dtype(), file.bytes().asSlice(record.begin(), type.dtype().bytes(elements)), elements);
    }

    /** {@code _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata])}. */
    private Tensor tensor(Unpickler.Tuple a) {
        want((a.size() == 6 || a.size() == 7) && a.get(0) instanceof Storage && a.get(1) instanceof Long
                && a.get(2) instanceof Unpickler.Tuple && a.get(3) instanceof Unpickler.Tuple,
                "_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)", a);
        if (a.size() == 7 && a.get(6) instanceof Map<?, ?> metadata && !metadata.isEmpty()) {
            throw problem("a tensor with metadata (a conjugate or negated view) is not supported");
        }
        var storage = (Storage) a.get(0);
        long offset = (Long) a.get(1);
        long[] shape = naturals((Unpickler.Tuple) a.get(2), "size");
        long[] strides = naturals((Unpickler.Tuple) a.get(3), "stride");
        if (shape.length != strides.length || shape.length > MAX_DIMS || offset < 0) {
            throw problem("a view of size " + Arrays.toString(shape) + ", stride " + Arrays.toString(strides) + ", offset " + offset);
        }
        checkInside(storage, offset, shape, strides);
        return contiguous(shape, strides)
                ? Tensor.of(storage.dtype(), storage.data().asSlice(storage.dtype().bytes(Tensor.elements(shape) == 0 ? 0 : offset)), shape)
                : copied(storage, offset, shape, strides);
    }

    private long[] naturals(Unpickler.Tuple tuple, String what) {
        long[] values = new long[tuple.size()];
        for (int i = 0; i < values.length; i++) {
            if (!(tuple.get(i) instanceof Long l) || l < 0) {
                throw problem("a view's " + what + " holds something that is no integer from 0 on");
            }
            values[i] = l;
        }
        return values;
    }

    private void checkInside(Storage storage, long offset, long[] shape, long[] strides) {
        try {
            if (Tensor.elements(shape) == 0) {
                return;
            }
            long last = offset;
            for (int i = 0; i < shape.length; i++) {
                last = Math.addExact(last, Math.multiplyExact(shape[i] - 1, strides[i]));
            }
            if (last >= storage.elements()) {
                throw problem("a view of size " + Arrays.toString(shape) + ", stride " + Arrays.toString(strides) + ", offset " + offset
                        + " reads past its storage of " + storage.elements());
            }
        } catch (ArithmeticException e) {
            throw problem("a view of size " + Arrays.toString(shape) + ", stride " + Arrays.toString(strides) + " does not fit 64 bits");
        }
    }

    private static boolean contiguous(long[] shape, long[] strides) {
        long next = 1;
        for (int i = shape.length - 1; i >= 0; i--) {
            if (shape[i] != 1 && strides[i] != next) {
                return Tensor.elements(shape) == 0;
            }
            next *= shape[i];
        }
        return true;
    }

    private Tensor copied(Storage from, long offset, long[] shape, long[] strides) {
        int size = from.dtype().blockBytes();
        long elements = Tensor.elements(shape);
        if (elements > copyBudget / size) {
            throw problem("views of " + Arrays.toString(shape) + " and before would copy far more than the file holds");
        }
        copyBudget -= elements * size;
        MemorySegment to = file.allocate(elements * size);
        long[] index = new long[shape.length];
        long at = offset;
        for (long i = 0; i < elements; i++) {
            MemorySegment.copy(from.data(), at * size, to, i * size, size);
            for (int d = shape.length - 1; d >= 0; d--) {
                at += strides[d];
                if (++index[d] < shape[d]) {
                    break;
                }
                at -= shape[d] * strides[d];
                index[d] = 0;
            }
        }
        return Tensor.of(from.dtype(), to, shape);
    }

    private void want(boolean fits, String wanted, Unpickler.Tuple got) {
        if (!fits) {
            throw problem("wanted " + wanted + ", got " + got.size() + " arguments of other types");
        }
    }

    private static String abbreviated(String text) {
        return text.length() > 100 ? text.substring(0, 100) + "..." : text;
    }

    private FormatException problem(String cause) {
        return file.problem("data.pkl", cause);
    }
}
