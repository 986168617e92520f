package dev.troupe.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.model.ModelConfig;
import dev.troupe.model.Partition;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PlannerTest {
    private static final ModelConfig MODEL = Models.config(8, 4, 2048);

    /** Nodes n1, n2, ... with so many devices each. */
    private static List<Site> nodes(int... devices) {
        List<Site> sites = new ArrayList<>();
        for (int n = 0; n < devices.length; n++) {
            for (int d = 0; d < devices[n]; d++) {
                String node = "n" + (n + 1);
                sites.add(new Site(node, node + "/cpu" + d, new DeviceProfile("cpu" + d, 1, 0)));
            }
        }
        return sites;
    }

    private static String places(int pipelineParallel, int tensorParallel, List<Site> sites)
            throws UnplannableException {
        return Planner.plan(MODEL, pipelineParallel, tensorParallel, null, sites).sites().stream()
                .map(stage -> stage.stream().map(Site::slot).collect(Collectors.joining(" ")))
                .collect(Collectors.joining(", "));
    }

    @Test
    void spreadsTwoStagesOfTwoRanksOverThreeNodes() throws Exception {
        assertThat(places(2, 2, nodes(1, 1, 1))).isEqualTo("n1/cpu0 n2/cpu0, n3/cpu0 n1/cpu0");
    }

    @Test
    void putsEveryStageOnANodeOfItsOwnWhenNodesHaveDevicesEnough() throws Exception {
        assertThat(places(2, 2, nodes(2, 2))).isEqualTo("n1/cpu0 n1/cpu1, n2/cpu0 n2/cpu1");
        assertThat(places(1, 2, nodes(4, 2))).isEqualTo("n2/cpu0 n2/cpu1");
    }

    @Test
    void putsEverythingOnTheOnlyDevice() throws Exception {
        assertThat(places(2, 2, nodes(1))).isEqualTo("n1/cpu0 n1/cpu0, n1/cpu0 n1/cpu0");
    }

    @ParameterizedTest
    @CsvSource({"1,1", "1,3", "1,4", "2,2", "2,3", "4,2", "8,4"})
    void loadsNoSiteTwiceMoreThanAnotherAndDoesNotDependOnTheirOrder(int stages, int ranks) throws Exception {
        for (int seed = 0; seed < 50; seed++) {
            Random random = new Random(seed);
            List<Site> sites = nodes(1 + random.nextInt(4), 1 + random.nextInt(4), 1 + random.nextInt(4));
            String expected = places(stages, ranks, sites);
            Collections.shuffle(sites, random);

            assertThat(places(stages, ranks, sites)).as("seed %d", seed).isEqualTo(expected);

            int min =
                    sites.stream().mapToInt(site -> count(expected, site)).min().orElseThrow();
            int max =
                    sites.stream().mapToInt(site -> count(expected, site)).max().orElseThrow();
            assertThat(max - min).as("seed %d: %s", seed, expected).isLessThanOrEqualTo(1);
        }
    }

    private static int count(String places, Site site) {
        return (int) List.of(places.split(",? ", -1)).stream()
                .filter(site.slot()::equals)
                .count();
    }

    @Test
    void usesAnUnevenPartitionThatIsGiven() throws Exception {
        Partition uneven = new Partition(List.of(
                new Partition.Stage(
                        0, 6, List.of(new Partition.Rank(0, 3, 0, 1536), new Partition.Rank(3, 4, 1536, 2048))),
                new Partition.Stage(
                        6, 8, List.of(new Partition.Rank(0, 1, 0, 512), new Partition.Rank(1, 4, 512, 2048)))));

        Assignment assignment = Planner.plan(MODEL, 2, 2, uneven, nodes(1, 1));

        assertThat(assignment.partition()).isEqualTo(uneven);
        assertThatThrownBy(() -> Planner.plan(MODEL, 1, 2, uneven, nodes(1, 1)))
                .isInstanceOf(UnplannableException.class)
                .hasMessage(
                        "pipeline-parallel = 1 and tensor-parallel = 2 do not fit the given partition, whose stages have these numbers of ranks: [2, 2]");
    }

    @Test
    void refusesMoreRanksThanKvHeadsWithTheDegreesThatWork() {
        assertThatThrownBy(() -> Planner.plan(MODEL, 1, 5, null, nodes(8)))
                .isInstanceOf(UnplannableException.class)
                .hasMessageContaining("tensor-parallel = 5")
                .hasMessageContaining("has 4")
                .hasMessageContaining("these work: 1 to 4");
    }

    @Test
    void refusesMoreStagesThanLayersWithTheDegreesThatWork() {
        assertThatThrownBy(() -> Planner.plan(MODEL, 9, 1, null, nodes(8)))
                .isInstanceOf(UnplannableException.class)
                .hasMessageContaining("pipeline-parallel = 9")
                .hasMessageContaining("these work: 1 to 8");
    }

    @Test
    void refusesToPlanWithoutDevices() {
        assertThatThrownBy(() -> Planner.plan(MODEL, 2, 2, null, List.of()))
                .isInstanceOf(UnplannableException.class)
                .hasMessage(
                        "2 stages of 2 ranks need at least one device and there is none: start a node with role compute");
    }
}
