package dev.t2l.text;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * Reads one protocol buffer message, field by field (the encoding's four living wire types). Every length is checked against what
 * is left; errors are IllegalArgumentException with the byte.
 */
final class ProtobufReader {
    private final ByteBuffer in;
    private final int base;
    private int wireType;

    ProtobufReader(byte[] message) {
        this(ByteBuffer.wrap(message), 0);
    }

    private ProtobufReader(ByteBuffer in, int base) {
        this.in = in.order(ByteOrder.LITTLE_ENDIAN);
        this.base = base;
    }

    /** The next field's number, or 0 at the end. Then read its value or {@link #skip} it. */
    int nextField() {
        if (!in.hasRemaining()) {
            return 0;
        }
        long tag = varint();
        wireType = (int) (tag & 7);
        long field = tag >>> 3;
        if (field == 0 || field > 1 << 29) {
            throw wrong("field number " + field);
        }
        return (int) field;
    }

    long number() {
        want(0, "a number");
        return varint();
    }

    boolean bool() {
        return number() != 0;
    }

    float float32() {
        want(5, "a float");
        need(4);
        return in.getFloat();
    }

    byte[] bytes() {
        ByteBuffer slice = slice();
        byte[] bytes = new byte[slice.remaining()];
        slice.get(bytes);
        return bytes;
    }

    String string() {
        return new String(bytes(), StandardCharsets.UTF_8);
    }

    ProtobufReader message() {
        int at = position();
        return new ProtobufReader(slice(), at);
    }

    void skip() {
        switch (wireType) {
            case 0 -> varint();
            case 1 -> advance(8);
            case 2 -> slice();
            case 5 -> advance(4);
            default -> throw wrong("wire type " + wireType);
        }
    }

    private ByteBuffer slice() {
        want(2, "a length-delimited value");
        long length = varint();
        if (length < 0 || length > in.remaining()) {
            throw wrong("length " + Long.toUnsignedString(length) + " with " + in.remaining() + " bytes left");
        }
        ByteBuffer slice = in.slice(in.position(), (int) length);
        in.position(in.position() + (int) length);
        return slice;
    }

    private long varint() {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            need(1);
            byte b = in.get();
            value |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                return value;
            }
        }
        throw wrong("a number of more than ten bytes");
    }

    private void want(int type, String what) {
        if (wireType != type) {
            throw wrong("wanted " + what + ", found wire type " + wireType);
        }
    }

    private void advance(int bytes) {
        need(bytes);
        in.position(in.position() + bytes);
    }

    private void need(int bytes) {
        if (in.remaining() < bytes) {
            throw wrong("the message ends inside a value");
        }
    }

    private int position() {
        return base + in.position();
    }

    private IllegalArgumentException wrong(String cause) {
        return new IllegalArgumentException("byte " + position() + ": " + cause);
    }
}
