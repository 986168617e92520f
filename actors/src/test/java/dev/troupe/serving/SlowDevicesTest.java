package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kvstore.KvType;
import dev.troupe.model.Partition;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.ShardWork;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SlowDevicesTest {
    private static final Epoch EPOCH = new Epoch(1, 7);
    private static final Duration AFTER = Duration.ofSeconds(3);
    private static final long SECOND = 1_000_000_000L;

    /** What one unit of one row takes for one KV group, in nanoseconds. */
    private static final long USUAL = 500_000;

    private final SlowDevices devices = new SlowDevices(new SchedulerSettings.Slow(3, AFTER, Duration.ofSeconds(30)));
    private final Map<ShardId, ShardWork> work = new HashMap<>();
    private final List<List<String>> found = new ArrayList<>();
    private final List<Integer> groups = new ArrayList<>();
    private int ranks;
    private long now;

    /** One stage; a rank for every slot, with so many KV groups. */
    private void begin(List<String> slots, int... share) {
        List<Partition.Rank> given = new ArrayList<>();
        int group = 0;
        groups.clear();
        for (int each : share) {
            given.add(new Partition.Rank(group, group + each, group, group + each));
            groups.add(each);
            group += each;
        }
        work.clear();
        ranks = slots.size();
        devices.begin(
                EPOCH,
                new ReplicaPlan(
                        "m",
                        0,
                        "",
                        "exact",
                        new Partition(List.of(new Partition.Stage(0, 4, given))),
                        List.of(slots),
                        KvType.F32,
                        4,
                        10));
    }

    /** A second passes, in which every rank does so many units of so many rows. */
    private void second(int units, int rows, double... factors) {
        now += SECOND;
        List<Placement.RankReport> reports = new ArrayList<>();
        for (int rank = 0; rank < ranks; rank++) {
            ShardId id = new ShardId(EPOCH, 0, rank);
            ShardWork before = work.getOrDefault(id, ShardWork.NONE);
            long all = (long) units * rows;
            ShardWork after = new ShardWork(
                    before.units() + units,
                    before.rows() + all,
                    before.positions() + 100 * all,
                    before.nanos() + (long) (all * groups.get(rank) * USUAL * factors[rank]));
            work.put(id, after);
            reports.add(new Placement.RankReport(id, Placement.RankReport.State.OTHER, after));
        }
        found.add(devices.look(now, reports).stream()
                .map(SlowDevices.Verdict::slot)
                .toList());
    }

    private void seconds(int count, double... factors) {
        for (int i = 0; i < count; i++) {
            second(50, 1, factors);
        }
    }

    private List<String> last() {
        return found.getLast();
    }

    @Test
    void findsTheDeviceThatTakesManyTimesAsLongAsTheOthersAfterAWhile() {
        begin(List.of("a", "b", "c", "d"), 1, 1, 1, 1);

        seconds(3, 1, 1, 1, 1);
        seconds(2, 1, 10, 1, 1);
        assertThat(found).allSatisfy(slots -> assertThat(slots).isEmpty());
        seconds(1, 1, 10, 1, 1);

        assertThat(last()).containsExactly("b");
    }

    @Test
    void saysByHowMuch() {
        begin(List.of("a", "b"), 1, 1);
        seconds(4, 1, 10);
        now += SECOND;
        List<Placement.RankReport> reports = new ArrayList<>();
        for (int rank = 0; rank < 2; rank++) {
            ShardId id = new ShardId(EPOCH, 0, rank);
            ShardWork before = work.getOrDefault(id, ShardWork.NONE);
            long nanos = 50 * USUAL * (rank == 0 ? 1 : 10);
            reports.add(new Placement.RankReport(
                    id,
                    Placement.RankReport.State.OTHER,
                    new ShardWork(before.units() + 50, before.rows() + 50, 0, before.nanos() + nanos)));
        }

        assertThat(devices.look(now, reports))
                .containsExactly(new SlowDevices.Verdict(
                        "b",
                        "b has taken 10.0 times as long as it should for its share of the work "
                                + "(5000.0 us for a row and KV group, expected 500.0) for 4.0 s"));
    }

    @Test
    void leavesADeviceAloneWhileItGetsFaster() {
        begin(List.of("a", "b", "c"), 1, 1, 1);

        for (double factor = 400; factor > 3; factor *= 0.7) {
            seconds(1, 1, factor, 1);
        }

        assertThat(found).allSatisfy(slots -> assertThat(slots).isEmpty());
        seconds(4, 1, 10, 1);
        assertThat(last()).containsExactly("b");
    }

    @Test
    void blamesNobodyWhereAllAreSlow() {
        begin(List.of("a", "b"), 1, 1);

        seconds(5, 1, 1);
        seconds(10, 10, 10);

        assertThat(found).allSatisfy(slots -> assertThat(slots).isEmpty());
    }

    @Test
    void takesAPauseForWhatItIs() {
        begin(List.of("a", "b"), 1, 1);
        seconds(3, 1, 1);

        for (int i = 0; i < 10; i++) {
            seconds(2, 1, 30);
            seconds(1, 1, 1);
        }

        assertThat(found).allSatisfy(slots -> assertThat(slots).isEmpty());
    }

    @Test
    void takesUnevenSharesIntoAccount() {
        begin(List.of("a", "b"), 1, 7);

        seconds(10, 1, 1);
        assertThat(last()).isEmpty();
        seconds(4, 1, 4);

        assertThat(last()).containsExactly("b");
    }

    @Test
    void doesNotBlameASmallShareForTheOverheadOfItsUnits() {
        begin(List.of("a", "b"), 1, 7);

        seconds(10, 7, 1);

        assertThat(found).allSatisfy(slots -> assertThat(slots).isEmpty());
    }

    @Test
    void allowsRanksOfOneDeviceToGetInEachOthersWay() {
        begin(List.of("a", "a", "a", "b"), 1, 1, 1, 1);

        seconds(10, 3.5, 3.5, 3.5, 1);
        assertThat(last()).isEmpty();
        seconds(4, 30, 30, 30, 1);

        assertThat(last()).containsExactly("a");
    }

    @Test
    void doesNotMindASlownessThatCostsNothing() {
        begin(List.of("a", "b"), 1, 1);

        for (int i = 0; i < 10; i++) {
            second(4, 1, 1, 10);
        }

        assertThat(found).allSatisfy(slots -> assertThat(slots).isEmpty());
    }

    @Test
    void comparesADeviceThatIsAloneWithItself() {
        begin(List.of("a"), 1);
        seconds(5, 1);

        seconds(3, 10);
        assertThat(last()).containsExactly("a");

        begin(List.of("a"), 1);
        seconds(5, 10);
        assertThat(last()).containsExactly("a");
    }

    @Test
    void doesNotTakeLongStepsOfADeviceThatIsAloneForSlowOnes() {
        begin(List.of("a"), 1);
        seconds(5, 1);

        for (int i = 0; i < 10; i++) {
            second(20, 64, 0.2);
        }
        for (int i = 0; i < 10; i++) {
            second(50, 1, 1);
        }

        assertThat(found).allSatisfy(slots -> assertThat(slots).isEmpty());
    }

    @Test
    void waitsForRanksThatDoNothing() {
        begin(List.of("a", "b"), 1, 1);
        seconds(3, 1, 10);

        for (int i = 0; i < 10; i++) {
            second(0, 1, 1, 1);
        }

        assertThat(found.subList(3, 13)).allSatisfy(slots -> assertThat(slots).isEmpty());
    }

    @Test
    void isQuietWhereRatesOnlyVary() {
        Random random = new Random(5);
        begin(List.of("a", "b", "c", "d"), 1, 1, 1, 1);

        for (int i = 0; i < 1000; i++) {
            double load = 1 + 20 * random.nextDouble();
            second(50, 1 + random.nextInt(4), load * (1 + random.nextDouble()), load, load * 1.5, load * 2);
        }

        assertThat(found).allSatisfy(slots -> assertThat(slots).isEmpty());
    }
}
