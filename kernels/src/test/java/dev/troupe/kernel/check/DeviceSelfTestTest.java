package dev.troupe.kernel.check;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.cuda.StandIn;
import dev.troupe.kernel.cuda.StandInTest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@StandInTest
class DeviceSelfTestTest {
    private static final Path IMAGES = Path.of("src", "main", "resources", "cuda");
    private static final Pattern KERNEL = Pattern.compile("\\.entry (\\w+)\\(");

    private static final SelfTest.Plan QUICK = SelfTest.Plan.of(SelfTest.Extent.QUICK);

    private final List<Finding> told = new ArrayList<>();

    @Test
    void runsEveryKernelOfTheBuildAndFindsNothing() throws IOException {
        StandIn.set("devices", 2);
        List<String> kernels = kernels();
        long[] before = kernels.stream()
                .mapToLong(kernel -> StandIn.count("launches:" + kernel))
                .toArray();

        List<Finding> findings = DeviceSelfTest.run(0, 1, QUICK, told::add);

        assertThat(findings)
                .isEqualTo(told)
                .allSatisfy(finding ->
                        assertThat(finding.difference()).as(finding.operation()).isNull());
        assertThat(findings).extracting(Finding::operation).contains("graph", "two devices");
        StandIn.set("capability", 80); // where fast products have other kernels
        assertThat(DeviceSelfTest.run(
                        0, null, new SelfTest.Plan(SelfTest.Extent.QUICK, DeviceSelfTest.FAST), told::add))
                .singleElement()
                .matches(Finding::ok);
        for (int i = 0; i < before.length; i++) {
            assertThat(StandIn.count("launches:" + kernels.get(i)))
                    .as(kernels.get(i))
                    .isGreaterThan(before[i]);
        }
    }

    /** Every operation of another kind, under a stand-in that leaves a bit wrong behind every launch. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "matmul q4_0",
                "matmul of",
                "matmulChunks bf16",
                "embed q8_0",
                "r",
                "s",
                "add",
                "attention f16",
                "argmax",
                "candidates",
                "topK",
                "mark",
                "g"
            })
    void findsAWrongBitOfEveryOperation(String only) {
        StandIn.set("broken", 1);

        List<Finding> findings = DeviceSelfTest.run(0, null, new SelfTest.Plan(SelfTest.Extent.QUICK, only), told::add);

        assertThat(findings).isNotEmpty().noneMatch(Finding::ok);
    }

    @ParameterizedTest
    @CsvSource({
        "round_activations, matmul q4_0",
        "sum_chunks, matmulChunks bf16",
        "merge_spans, attention f16",
        "attend_tiles_f32, attention f32",
        "matmul_fast_90a_skinny_f16, fast products",
        "add, graph"
    })
    void findsAWrongBitOfOneKernel(String kernel, String operation) {
        StandIn.set("broken:" + kernel, 1);
        try {
            List<Finding> findings =
                    DeviceSelfTest.run(0, null, new SelfTest.Plan(SelfTest.Extent.QUICK, operation), told::add);

            assertThat(findings).singleElement().satisfies(finding -> {
                assertThat(finding.operation()).isEqualTo(operation);
                assertThat(finding.ok()).isFalse();
            });
        } finally {
            StandIn.set("broken:" + kernel, 0);
        }
    }

    /** All kernels but those that only measure. */
    private static List<String> kernels() throws IOException {
        List<String> kernels = new ArrayList<>();
        try (Stream<Path> files = Files.list(IMAGES)) {
            for (Path file : files.sorted().toList()) {
                String name = file.getFileName().toString();
                if (name.endsWith(".ptx") && !name.equals("ceilings.ptx")) {
                    KERNEL.matcher(Files.readString(file))
                            .results()
                            .map((MatchResult match) -> match.group(1))
                            .forEach(kernels::add);
                }
            }
        }
        assertThat(kernels).hasSizeGreaterThan(20);
        return kernels;
    }
}
