package dev.troupe.kernel.vector;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.vector.panel.PiecePanels;
import dev.troupe.kernel.vector.quantised.QuantisedMatVec;
import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.MethodModel;
import java.lang.classfile.attribute.CodeAttribute;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * No kernel method is so large that a compiler refuses it. Measured on JDK 25: from about 2,000 bytes on the first compiler runs
 * out of registers ("out of virtual registers"), never asks the second one, and the kernel stays interpreted: a thousand times
 * slower, in a JVM where another order of calls would have compiled it.
 */
class KernelSizeTest {
    private static final int MOST_BYTES = 1700;

    @Test
    void staysWithinWhatTheCompilersTake() throws IOException, URISyntaxException {
        List<String> tooLarge = new ArrayList<>();
        int kernels = 0;
        for (Class<?> member : List.of(VectorKernels.class, PiecePanels.class, QuantisedMatVec.class)) {
            for (Path file : classFiles(member)) {
                ClassModel model = ClassFile.of().parse(file);
                for (MethodModel method : model.methods()) {
                    int bytes = method.code()
                            .map(code -> ((CodeAttribute) code).codeLength())
                            .orElse(0);
                    kernels += bytes > 900 ? 1 : 0;
                    if (bytes > MOST_BYTES) {
                        tooLarge.add("%s.%s has %d bytes"
                                .formatted(
                                        model.thisClass().name(),
                                        method.methodName().stringValue(),
                                        bytes));
                    }
                }
            }
        }

        assertThat(tooLarge).isEmpty();
        assertThat(kernels).as("kernels that were looked at").isGreaterThan(10);
    }

    private static List<Path> classFiles(Class<?> member) throws IOException, URISyntaxException {
        Path root = Path.of(
                member.getProtectionDomain().getCodeSource().getLocation().toURI());
        try (Stream<Path> files =
                Files.list(root.resolve(member.getPackageName().replace('.', '/')))) {
            return files.filter(file -> file.toString().endsWith(".class")).toList();
        }
    }
}
