package dev.t2l.io;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The records of a zip archive that stores without compressing, as PyTorch writes it: name to the bytes of the file they lie in.
 * Every offset and length is checked against the file; zip64 is read. Format: APPNOTE.TXT 6.3.
 */
final class ZipDirectory {
    private static final int END_SIGNATURE = 0x06054b50;
    private static final int END64_SIGNATURE = 0x06064b50;
    private static final int LOCATOR64_SIGNATURE = 0x07064b50;
    private static final int CENTRAL_SIGNATURE = 0x02014b50;
    private static final int LOCAL_SIGNATURE = 0x04034b50;
    private static final int END_SIZE = 22;
    private static final int LOCATOR64_SIZE = 20;
    private static final int CENTRAL_SIZE = 46;
    private static final int MAX_COMMENT = 65535;
    private static final long FULL_32 = 0xffffffffL;

    /** Bytes [begin, begin + size) of the file. */
    record Entry(long begin, long size) {
    }

    private record Directory(long count, long size, long begin) {
    }

    private final MappedFile file;
    private final Map<String, Entry> entries = new LinkedHashMap<>();

    /** @throws FormatException if the archive breaks the format, or holds a compressed or encrypted record */
    ZipDirectory(MappedFile file) {
        this.file = file;
        Directory directory = directory(findEnd());
        if (directory.begin() < 0 || directory.size() < 0 || directory.begin() > file.size() - directory.size()) {
            throw file.problem("zip directory", "offset " + Long.toUnsignedString(directory.begin()) + " and size "
                    + Long.toUnsignedString(directory.size()) + " reach past the end of the file");
        }
        var in = new FileCursor(file, directory.begin(), directory.begin() + directory.size());
        in.checkCount(directory.count(), CENTRAL_SIZE, "number of zip records");
        for (long i = 0; i < directory.count(); i++) {
            entry(in);
        }
    }

    /** Records in the order of the directory. */
    Map<String, Entry> entries() {
        return entries;
    }

    private long findEnd() {
        for (long at = file.size() - END_SIZE; at >= Math.max(0, file.size() - END_SIZE - MAX_COMMENT); at--) {
            if (cursor(at).int32("signature") == END_SIGNATURE) {
                return at;
            }
        }
        throw file.problem("end", "no zip directory there: not a zip archive, or cut off");
    }

    private FileCursor cursor(long at) {
        return new FileCursor(file, at, file.size());
    }

    private Directory directory(long end) {
        var in = cursor(end + 4);
        in.int32("numbers of disks");
        in.uint16("records on this disk");
        long count = in.uint16("records");
        long size = in.uint32("directory size");
        long begin = in.uint32("directory offset");
        if (end >= LOCATOR64_SIZE && cursor(end - LOCATOR64_SIZE).int32("signature") == LOCATOR64_SIGNATURE) {
            var locator = cursor(end - LOCATOR64_SIZE + 8);
            long end64 = locator.int64("offset of the zip64 end");
            if (end64 < 0 || end64 > end - LOCATOR64_SIZE || cursor(end64).int32("signature") != END64_SIGNATURE) {
                throw file.problem("byte " + (end - LOCATOR64_SIZE), "no zip64 directory at byte " + Long.toUnsignedString(end64));
            }
            var in64 = cursor(end64 + 32);
            return new Directory(in64.int64("records"), in64.int64("directory size"), in64.int64("directory offset"));
        }
        return new Directory(count, size, begin);
    }

    private void entry(FileCursor in) {
        if (in.int32("signature") != CENTRAL_SIGNATURE) {
            throw in.problem("no zip record where one should begin");
        }
        in.int32("versions");
        int flags = in.uint16("flags");
        int method = in.uint16("method");
        in.int32("time");
        in.int32("checksum");
        long stored = in.uint32("stored size");
        long size = in.uint32("size");
        int nameLength = in.uint16("name length");
        int extraLength = in.uint16("extra length");
        int commentLength = in.uint16("comment length");
        in.int64("disk and attributes");
        long local = in.uint32("local header offset");
        String name = in.utf8(nameLength, "a record's name");
        String place = "zip record '" + name + "'";
        long extraEnd = in.position() + extraLength;
        while (in.position() + 4 <= extraEnd) {
            int id = in.uint16("extra id");
            int length = in.uint16("extra size");
            long next = in.position() + length;
            if (id == 1) {
                size = size == FULL_32 ? in.int64("zip64 size") : size;
                stored = stored == FULL_32 ? in.int64("zip64 stored size") : stored;
                local = local == FULL_32 ? in.int64("zip64 offset") : local;
            }
            in.bytes(next - in.position(), "extra field of " + place);
        }
        in.bytes(extraEnd - in.position(), "extra field of " + place);
        in.bytes(commentLength, "comment of " + place);
        if (method != 0 || (flags & 1) != 0 || stored != size) {
            throw file.problem(place, "is compressed or encrypted (method " + method + "); torch.save only stores");
        }
        if (entries.put(name, located(local, size, place)) != null) {
            throw file.problem(place, "is there twice");
        }
    }

    private Entry located(long local, long size, String place) {
        if (local < 0 || local >= file.size() || cursor(local).int32("signature of " + place) != LOCAL_SIGNATURE) {
            throw file.problem(place, "no record at byte " + Long.toUnsignedString(local));
        }
        var in = cursor(local + 26);
        long begin = (long) in.uint16("name length of " + place) + in.uint16("extra length of " + place) + in.position();
        if (size < 0 || size > file.size() - begin) {
            throw file.problem(place, Long.toUnsignedString(size) + " bytes from byte " + begin + " reach past the end of the file");
        }
        return new Entry(begin, size);
    }
}
