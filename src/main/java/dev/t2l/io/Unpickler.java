package dev.t2l.io;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads the part of Python's pickle language (protocols 2 to 4) that plain containers and tensors need. Names of functions and
 * classes are never looked up or called: {@link Objects} decides what the few permitted ones stand for, and refuses the rest.
 *
 * <p>Python to Java: int {@link Long} or {@link BigInteger}, float {@link Double}, str {@link String}, bool, None null, list
 * {@link ArrayList}, dict {@link LinkedHashMap}, tuple {@link Tuple}. Nothing is recursive here; whoever walks the result bounds
 * its depth. Opcodes: Lib/pickletools.py of CPython.
 */
final class Unpickler {
    /** What names and persistent ids stand for. */
    interface Objects {
        /** The meaning of {@code module.name}; throws if it is not permitted. */
        Object global(String module, String name);

        /** What {@code callable(*arguments)} makes; throws if it is no permitted callable. */
        Object call(Object callable, Tuple arguments);

        /** Takes {@code state} in for {@code object}; throws if it may have none. */
        void build(Object object, Object state);

        /** The object of a persistent id. */
        Object persistent(Object id);
    }

    /** A Python tuple. */
    record Tuple(List<Object> items) {
        int size() {
            return items.size();
        }

        Object get(int i) {
            return items.get(i);
        }
    }

    private static final Object MARK = new Object();
    private static final int MAX_INTEGER_BYTES = 1024;

    private final FileCursor in;
    private final Objects objects;
    private final List<Object> stack = new ArrayList<>();
    private final Map<Long, Object> memo = new HashMap<>();

    Unpickler(FileCursor in, Objects objects) {
        this.in = in;
        this.objects = objects;
    }

    /** @throws FormatException if the pickle is damaged or asks for anything else */
    Object read() {
        for (int opcode = in.uint8("an opcode"); opcode != '.'; opcode = in.uint8("an opcode (the pickle has no end)")) {
            step(opcode);
        }
        Object result = pop();
        if (!stack.isEmpty()) {
            throw in.problem("the pickle ends with " + stack.size() + " objects left over");
        }
        return result;
    }

    private void step(int opcode) {
        switch (opcode) {
            case 0x80 -> protocol(in.uint8("protocol"));
            case 0x95 -> in.int64("frame length");
            case '(' -> stack.add(MARK);
            case '0' -> pop();
            case '1' -> popToMark();
            case 'N' -> push(null);
            case 0x88 -> push(true);
            case 0x89 -> push(false);
            case 'K' -> push((long) in.uint8("an integer"));
            case 'M' -> push((long) in.uint16("an integer"));
            case 'J' -> push((long) in.int32("an integer"));
            case 0x8a -> push(integer(in.uint8("an integer's length")));
            case 0x8b -> push(integer(in.uint32("an integer's length")));
            case 'G' -> push(Double.longBitsToDouble(Long.reverseBytes(in.int64("a float"))));
            case 0x8c -> push(in.utf8(in.uint8("a string's length"), "a string"));
            case 'X' -> push(in.utf8(in.uint32("a string's length"), "a string"));
            case 0x8d -> push(in.utf8(in.count(1, "a string's length"), "a string"));
            case ')' -> push(new Tuple(List.of()));
            case 0x85 -> push(tuple(1));
            case 0x86 -> push(tuple(2));
            case 0x87 -> push(tuple(3));
            case 't' -> push(new Tuple(popToMark()));
            case ']' -> push(new ArrayList<>());
            case 'a' -> append(popLast(1));
            case 'e' -> append(popToMark());
            case '}' -> push(new LinkedHashMap<>());
            case 's' -> setItems(popLast(2));
            case 'u' -> setItems(popToMark());
            case 'c' -> push(objects.global(line(), line()));
            case 0x93 -> stackGlobal();
            case 'R' -> reduce();
            case 'b' -> {
                Object state = pop();
                objects.build(peek(), state);
            }
            case 'Q' -> push(objects.persistent(pop()));
            case 'q' -> memo.put((long) in.uint8("a memo number"), peek());
            case 'r' -> memo.put(in.uint32("a memo number"), peek());
            case 0x94 -> memo.put((long) memo.size(), peek());
            case 'h' -> push(remembered(in.uint8("a memo number")));
            case 'j' -> push(remembered(in.uint32("a memo number")));
            default -> throw in.problem("pickle opcode 0x" + Integer.toHexString(opcode) + " is none that tensors and plain containers need");
        }
    }

    private void protocol(int protocol) {
        if (protocol < 2 || protocol > 5) {
            throw in.problem("pickle protocol " + protocol + "; 2 to 5 are read");
        }
    }

    private void push(Object value) {
        stack.add(value);
    }

    private Object pop() {
        Object top = peek();
        stack.removeLast();
        return top;
    }

    private Object peek() {
        if (stack.isEmpty() || stack.getLast() == MARK) {
            throw in.problem("the pickle takes from an empty stack");
        }
        return stack.getLast();
    }

    private List<Object> popLast(int n) {
        List<Object> values = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            values.addFirst(pop());
        }
        return values;
    }

    private List<Object> popToMark() {
        int mark = stack.lastIndexOf(MARK);
        if (mark < 0) {
            throw in.problem("the pickle has no mark to go back to");
        }
        List<Object> above = stack.subList(mark, stack.size());
        List<Object> values = new ArrayList<>(above.subList(1, above.size()));
        above.clear();
        return values;
    }

    private Tuple tuple(int n) {
        return new Tuple(popLast(n));
    }

    private Object integer(long length) {
        if (length > MAX_INTEGER_BYTES) {
            throw in.problem("an integer of " + length + " bytes; the limit is " + MAX_INTEGER_BYTES);
        }
        byte[] little = in.bytes(length, "an integer");
        byte[] big = new byte[little.length + 1];
        for (int i = 0; i < little.length; i++) {
            big[big.length - 1 - i] = little[i];
        }
        big[0] = (byte) (little.length > 0 && little[little.length - 1] < 0 ? -1 : 0);
        var value = new BigInteger(big);
        return value.bitLength() < 64 ? (Object) value.longValue() : value;
    }

    private String line() {
        var text = new StringBuilder();
        for (int c = in.uint8("a name"); c != '\n'; c = in.uint8("a name")) {
            if (c < ' ' || c > '~' || text.length() > 200) {
                throw in.problem("a name that is no Python identifier");
            }
            text.append((char) c);
        }
        return text.toString();
    }

    private void append(List<Object> values) {
        if (!(peek() instanceof ArrayList<?>)) {
            throw in.problem("the pickle appends to something that is no list");
        }
        @SuppressWarnings("unchecked")
        var list = (ArrayList<Object>) peek();
        list.addAll(values);
    }

    private void setItems(List<Object> keysAndValues) {
        if (!(peek() instanceof LinkedHashMap<?, ?>) || keysAndValues.size() % 2 != 0) {
            throw in.problem("the pickle sets items of something that is no dict");
        }
        @SuppressWarnings("unchecked")
        var dict = (LinkedHashMap<Object, Object>) peek();
        for (int i = 0; i < keysAndValues.size(); i += 2) {
            Object key = keysAndValues.get(i);
            if (!(key instanceof String || key instanceof Long || key instanceof Boolean)) {
                throw in.problem("a dict's key is no string and no integer");
            }
            dict.put(key, keysAndValues.get(i + 1));
        }
    }

    private void stackGlobal() {
        Object name = pop();
        Object module = pop();
        if (!(name instanceof String n) || !(module instanceof String m)) {
            throw in.problem("a global name that is no string");
        }
        push(objects.global(m, n));
    }

    private void reduce() {
        Object arguments = pop();
        Object callable = pop();
        if (!(arguments instanceof Tuple tuple)) {
            throw in.problem("the pickle calls with something that is no tuple");
        }
        push(objects.call(callable, tuple));
    }

    private Object remembered(long number) {
        if (!memo.containsKey(number)) {
            throw in.problem("memo " + number + " was never set");
        }
        return memo.get(number);
    }
}
