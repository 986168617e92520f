package dev.troupe.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.model.ModelConfig;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SplitPlannerTest {
    private static final long MIB = 1 << 20;
    private static final ModelConfig MODEL = Models.config(8, 4, 2048);

    /** Every layer's share of a KV group takes a mebibyte: 32 for the whole model. */
    private static final Footprint FOOTPRINT = (partition, stage, rank, device) -> {
        var layers = partition.stages().get(stage);
        var groups = layers.ranks().get(rank);
        return (long) layers.layers() * (groups.toGroup() - groups.fromGroup()) * MIB;
    };

    private static List<Site> devices(int count, long memory) {
        List<Site> sites = new ArrayList<>();
        for (int n = 1; n <= count; n++) {
            sites.add(new Site("n" + n, "n" + n + "/cpu0", new DeviceProfile("cpu0", 1, memory)));
        }
        return sites;
    }

    private static String split(int stages, int ranks, int devices, int most, long memory) throws UnplannableException {
        Assignment assignment =
                new SplitPlanner(MODEL, stages, ranks, null, FOOTPRINT).plan(devices(devices, memory), most);
        return assignment.sites().size() + "x" + assignment.sites().getFirst().size();
    }

    @Test
    void keepsTheWantedSplitAsLongAsNoDeviceMustTakeMoreThanBefore() throws Exception {
        assertThat(split(2, 2, 4, 4, 0)).isEqualTo("2x2");
        assertThat(split(2, 2, 5, 5, 0)).isEqualTo("2x2");
        assertThat(split(2, 2, 3, 3, 0)).isEqualTo("2x2");
        assertThat(split(2, 2, 2, 3, 0)).isEqualTo("2x2");
        assertThat(split(2, 2, 1, 1, 0)).isEqualTo("2x2");
    }

    @Test
    void givesUpStagesBeforeRanksWhenDevicesAreLost() throws Exception {
        assertThat(split(2, 2, 3, 4, 0)).isEqualTo("1x2");
        assertThat(split(2, 2, 2, 4, 0)).isEqualTo("1x2");
        assertThat(split(2, 2, 1, 4, 0)).isEqualTo("1x1");
        assertThat(split(1, 4, 3, 4, 0)).isEqualTo("1x3");
        assertThat(split(4, 1, 2, 4, 0)).isEqualTo("2x1");
    }

    @Test
    void doesNotMakeADeviceHoldMoreThanItCan() throws Exception {
        assertThat(split(2, 2, 2, 4, 16 * MIB)).isEqualTo("1x2");
        assertThat(split(2, 2, 1, 4, 32 * MIB)).isEqualTo("1x1");
        assertThatThrownBy(() -> split(2, 2, 2, 4, 16 * MIB - 1))
                .isInstanceOf(UnplannableException.class)
                .hasMessageContaining("no_capacity")
                .hasMessageContaining("0.03 GiB")
                .hasMessageContaining("n1/cpu0 has 0.02 GiB, n2/cpu0 has 0.02 GiB")
                .hasMessageContaining("start more nodes");
    }

    private static List<String> slots(int gpus, int cpus, int most, long memory) throws UnplannableException {
        return slots(gpus, cpus, most, memory, FOOTPRINT);
    }

    private static List<String> slots(int gpus, int cpus, int most, long memory, Footprint footprint)
            throws UnplannableException {
        List<Site> sites = new ArrayList<>(devices(cpus, memory));
        for (int n = 0; n < gpus; n++) {
            sites.add(new Site("g", "g/cuda" + n, new DeviceProfile("cuda" + n, 0, memory)));
        }
        return new SplitPlanner(MODEL, 2, 1, null, footprint)
                .plan(sites, most).sites().stream()
                        .flatMap(List::stream)
                        .map(Site::slot)
                        .toList();
    }

    @Test
    void takesGpusAloneAsLongAsTheModelFitsIntoThem() throws Exception {
        assertThat(slots(2, 3, 5, 0)).containsExactly("g/cuda0", "g/cuda1");
        assertThat(slots(1, 3, 4, 0)).containsExactly("g/cuda0", "g/cuda0");
        assertThat(slots(1, 3, 5, 0)).containsExactly("g/cuda0"); // there were two GPUs
        assertThat(slots(0, 3, 4, 0)).containsExactly("n1/cpu0", "n2/cpu0");
        assertThat(slots(1, 1, 2, 16 * MIB)).containsExactlyInAnyOrder("g/cuda0", "n1/cpu0");
    }

    @Test
    void countsWhatARankKeepsOnTheDeviceThatItGets() throws Exception {
        Footprint more = (partition, stage, rank, device) ->
                FOOTPRINT.bytes(partition, stage, rank, device) + (device.isGpu() ? 1 : 0);

        assertThat(slots(2, 3, 5, 16 * MIB + 1, more)).containsExactly("g/cuda0", "g/cuda1");
        assertThat(slots(2, 3, 5, 16 * MIB, more)).containsExactly("n1/cpu0", "n2/cpu0");
    }
}
