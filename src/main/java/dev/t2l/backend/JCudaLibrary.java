package dev.t2l.backend;

import java.io.IOException;
import java.nio.file.Path;
import jcuda.JCudaVersion;
import jcuda.driver.JCudaDriver;

/**
 * JCuda's native library. JCuda itself looks for it in {@code java.io.tmpdir}, loads whatever lies there under its name, and else unpacks
 * it from a jar that it cannot see on the module path. So it is unpacked here, checked, and JCuda is shown that folder.
 */
final class JCudaLibrary {
    private static final String RESOURCE = "/lib/libJCudaDriver-" + JCudaVersion.get() + "-linux-x86_64.so";

    private JCudaLibrary() {
    }

    /** @throws BackendUnavailableException if there is none for this platform, or it cannot be unpacked or loaded */
    static void load() {
        String temporary = System.getProperty("java.io.tmpdir");
        try {
            Path library = NativeLibrary.extract(RESOURCE, NativeLibrary.cache());
            System.setProperty("java.io.tmpdir", library.toAbsolutePath().getParent().toString());
            JCudaDriver.setExceptionsEnabled(true);
        } catch (IOException e) {
            throw new BackendUnavailableException("JCuda's library cannot be unpacked (choose another folder with -Dt2l.native.dir): " + e, e);
        } catch (LinkageError e) {
            throw new BackendUnavailableException("JCuda's library cannot be loaded: " + e.toString().lines().findFirst().orElse(""), e);
        } finally {
            System.setProperty("java.io.tmpdir", temporary);
        }
    }
}
