package dev.t2l.io;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Reads little-endian values one after another; never past the end of the file, never a length that the file cannot hold. */
final class FileCursor {
    private static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong I64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MappedFile file;
    private final long end;
    private long at;

    /** Reads bytes [at, end) of the file. */
    FileCursor(MappedFile file, long at, long end) {
        this.file = file;
        this.at = at;
        this.end = end;
    }

    long position() {
        return at;
    }

    long remaining() {
        return end - at;
    }

    /** Steps over {@code bytes} and returns where they began. */
    private long take(long bytes, String what) {
        if (bytes > remaining()) {
            throw problem(what + " of " + bytes + " bytes reaches past the end (byte " + end + ")");
        }
        long begin = at;
        at += bytes;
        return begin;
    }

    byte int8(String what) {
        return file.bytes().get(ValueLayout.JAVA_BYTE, take(1, what));
    }

    int uint8(String what) {
        return int8(what) & 0xff;
    }

    short int16(String what) {
        return file.bytes().get(I16, take(2, what));
    }

    int uint16(String what) {
        return int16(what) & 0xffff;
    }

    int int32(String what) {
        return file.bytes().get(I32, take(4, what));
    }

    long uint32(String what) {
        return int32(what) & 0xffffffffL;
    }

    long int64(String what) {
        return file.bytes().get(I64, take(8, what));
    }

    /**
     * A 64-bit count or length of things that take at least {@code minBytes} each.
     *
     * @throws FormatException if the rest of the file cannot hold so many
     */
    long count(long minBytes, String what) {
        long count = int64(what);
        checkCount(count, minBytes, what);
        return count;
    }

    void checkCount(long count, long minBytes, String what) {
        if (count < 0 || count > remaining() / minBytes) {
            throw problem(what + " " + Long.toUnsignedString(count) + " is more than the rest of the file (" + remaining() + " bytes) can hold");
        }
    }

    byte[] bytes(long count, String what) {
        checkCount(count, 1, what);
        if (count > Integer.MAX_VALUE - 8) {
            throw problem(what + " of " + count + " bytes is too long");
        }
        return file.bytes().asSlice(take(count, what), count).toArray(ValueLayout.JAVA_BYTE);
    }

    /** {@code bytes} bytes of strict UTF-8. */
    String utf8(long bytes, String what) {
        long begin = at;
        byte[] raw = bytes(bytes, what);
        String text = new String(raw, StandardCharsets.UTF_8);
        if (text.indexOf('\uFFFD') >= 0) { // a character of its own, or a replaced byte
            try {
                return StrictJson.utf8(raw);
            } catch (CharacterCodingException e) {
                throw new FormatException(file.path(), "byte " + begin, what + " is not valid UTF-8", e);
            }
        }
        return text;
    }

    /** A problem at the current byte. */
    FormatException problem(String cause) {
        return file.problem("byte " + at, cause);
    }
}
