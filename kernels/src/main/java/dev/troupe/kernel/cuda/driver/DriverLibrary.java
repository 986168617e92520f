package dev.troupe.kernel.cuda.driver;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import jcuda.driver.JCudaDriver;

/**
 * Loads JCuda's native library once. JCuda unpacks it under a fixed name in the temporary folder and takes a file that is there
 * already, so another user could plant one, and two processes that start together could load half of one. It gets a new folder that
 * only this user can write to, unless the library lies on {@code java.library.path}.
 */
final class DriverLibrary {
    private static final String FOLDER_PROPERTY = "java.io.tmpdir";

    private DriverLibrary() {}

    /** Loads when it is first touched. */
    private static final class Once {
        static final int RESULT = load();
    }

    /**
     * Loads it and starts the driver.
     *
     * @throws UnsatisfiedLinkError if there is no driver, which should be known before
     * @throws CudaException if the driver does not start
     */
    static void require() {
        CudaException.check(Once.RESULT, "cuInit");
    }

    private static int load() {
        try {
            Path folder = Files.createTempDirectory("troupe-cuda-");
            String before = System.getProperty(FOLDER_PROPERTY, "");
            System.setProperty(FOLDER_PROPERTY, folder.toString());
            try {
                JCudaDriver.setExceptionsEnabled(false);
            } finally {
                System.setProperty(FOLDER_PROPERTY, before);
                delete(folder);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("JCuda's native library cannot be unpacked", e);
        }
        return JCudaDriver.cuInit(0);
    }

    /** A loaded library needs its file no more. */
    private static void delete(Path folder) throws IOException {
        List<Path> files;
        try (Stream<Path> listed = Files.list(folder)) {
            files = listed.toList();
        }
        for (Path file : files) {
            Files.delete(file);
        }
        Files.delete(folder);
    }
}
