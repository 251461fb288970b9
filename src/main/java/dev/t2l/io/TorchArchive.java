package dev.t2l.io;

import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What {@code torch.save} wrote (a zip archive, since PyTorch 1.6), tensors only: anything but tensors, parameters, plain
 * containers and scalars is refused, and nothing is ever executed. Storages lie in the mapped file; views that are not contiguous are copied.
 */
public final class TorchArchive implements AutoCloseable {
    private static final String PICKLE = "/data.pkl";
    private static final int MAX_DEPTH = 64;
    private static final int MAX_OBJECTS = 1_000_000;
    private static final int PICKLE_PROTOCOL_OPCODE = 0x80;

    private final MappedFile file;
    private final Object root;
    private final Weights weights;

    private TorchArchive(MappedFile file, Object root, Map<String, Tensor> tensors) {
        this.file = file;
        this.root = root;
        this.weights = new Weights(tensors, file::close);
    }

    /**
     * @throws FormatException if the archive is damaged or holds anything else than tensors and plain containers
     * @throws java.io.UncheckedIOException if it cannot be read
     */
    public static TorchArchive open(Path path) {
        try (var opened = new OpenFiles()) {
            MappedFile file = opened.add(path);
            if (file.size() > 0 && (file.bytes().get(ValueLayout.JAVA_BYTE, 0) & 0xff) == PICKLE_PROTOCOL_OPCODE) {
                throw file.problem("byte 0", "a pickle without a zip archive (the format before PyTorch 1.6) is not supported; HINT: load and torch.save it again");
            }
            var records = new ZipDirectory(file).entries();
            String folder = folder(file, records);
            checkByteOrder(file, records.get(folder + "/byteorder"));
            ZipDirectory.Entry pickle = records.get(folder + PICKLE);
            var in = new FileCursor(file, pickle.begin(), pickle.begin() + pickle.size());
            Object read = new Unpickler(in, new TorchObjects(file, records, folder + "/data/")).read();
            var walk = new Walk(file);
            var archive = new TorchArchive(file, walk.plain(read, "", 0), walk.tensors);
            opened.keep();
            return archive;
        }
    }

    /** The tensors, nested names joined with dots, in the order in which the pickled dicts were filled; closing them closes this. */
    public Weights weights() {
        return weights;
    }

    /**
     * The saved object: {@link Map} (keys {@link String}, {@link Long} or {@link Boolean}) and {@link List} (tuples too), both
     * unmodifiable, {@link Tensor}, {@link String}, {@link Long}, {@link java.math.BigInteger}, {@link Double}, {@link Boolean}, null.
     */
    public Object root() {
        return root;
    }

    @Override
    public void close() {
        file.close();
    }

    private static String folder(MappedFile file, Map<String, ZipDirectory.Entry> records) {
        List<String> found = records.keySet().stream().filter(n -> n.endsWith(PICKLE) && n.indexOf('/') == n.length() - PICKLE.length()).toList();
        if (found.size() != 1) {
            throw file.problem("zip directory", "wanted one record <folder>/data.pkl, found " + found.size());
        }
        return found.getFirst().substring(0, found.getFirst().length() - PICKLE.length());
    }

    private static void checkByteOrder(MappedFile file, ZipDirectory.Entry record) {
        if (record != null) {
            byte[] text = new FileCursor(file, record.begin(), record.begin() + record.size()).bytes(Math.min(record.size(), 16), "byteorder");
            if (!new String(text, StandardCharsets.US_ASCII).equals("little")) {
                throw file.problem("zip record 'byteorder'", "only little-endian archives are read");
            }
        }
    }

    /** Walks the pickled object: bounded in depth and in steps, for a pickle may refer to itself. */
    private static final class Walk {
        private final MappedFile file;
        private final Map<String, Tensor> tensors = new LinkedHashMap<>();
        private int objects;

        Walk(MappedFile file) {
            this.file = file;
        }

        Object plain(Object value, String name, int depth) {
            if (depth > MAX_DEPTH || ++objects > MAX_OBJECTS) {
                throw file.problem("data.pkl", depth > MAX_DEPTH ? "containers nested more than " + MAX_DEPTH + " deep" : "more than " + MAX_OBJECTS + " objects");
            }
            return switch (value) {
                case Tensor tensor -> {
                    if (tensors.put(name, tensor) != null) {
                        throw file.problem("tensor '" + name + "'", "two tensors would have this name");
                    }
                    yield tensor;
                }
                case Map<?, ?> dict -> {
                    Map<Object, Object> map = new LinkedHashMap<>();
                    dict.forEach((key, v) -> map.put(key, plain(v, join(name, key), depth + 1)));
                    yield Collections.unmodifiableMap(map);
                }
                case List<?> list -> items(list, name, depth);
                case Unpickler.Tuple tuple -> items(tuple.items(), name, depth);
                case null -> null;
                default -> {
                    if (!(value instanceof String || value instanceof Number || value instanceof Boolean)) {
                        throw file.problem("data.pkl", "'" + name + "' is a bare " + value.getClass().getSimpleName() + ", no tensor or plain value");
                    }
                    yield value;
                }
            };
        }

        private List<Object> items(List<?> list, String name, int depth) {
            List<Object> items = new ArrayList<>();
            for (Object item : list) {
                items.add(plain(item, join(name, items.size()), depth + 1));
            }
            return Collections.unmodifiableList(items);
        }

        private static String join(String name, Object key) {
            return name.isEmpty() ? key.toString() : name + "." + key;
        }
    }
}
