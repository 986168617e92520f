package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kvcache.KvBlockPool;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whom a priority serves first, and whom it costs. */
class StepPlannerPriorityTest extends StepPlannerFixture {
    /** Two sequences run at a time. */
    private static final StepLimits TWO_RUNNING = new StepLimits(32, 16, 8, 2, 1, 8);

    private static List<Long> order(StepPlanner planner) {
        return planner.sequences().stream().map(Sequence::id).toList();
    }

    @Test
    void aTenantsRequestsStandInItsOwnPlacesByPriority() {
        StepPlanner planner = planner(ONE_IN_FLIGHT, 64);
        Sequence a1 = sequence(3, 2, "a", 5);
        Sequence b2 = sequence(3, 2, "b", 0);
        Sequence a3 = sequence(3, 2, "a", -3);
        Sequence b4 = sequence(3, 2, "b", 0);
        Sequence a5 = sequence(3, 2, "a", 0);

        List.of(a1, b2, a3, b4, a5).forEach(planner::add);

        assertThat(order(planner)).containsExactly(a3.id(), b2.id(), a5.id(), b4.id(), a1.id());
        planner.remove(a3);
        assertThat(order(planner)).containsExactly(a5.id(), b2.id(), b4.id(), a1.id());
    }

    @Test
    void ofEqualPriorityTheFirstThatCameIsFirst() {
        StepPlanner planner = planner(ONE_IN_FLIGHT, 64);
        for (int i = 0; i < 5; i++) {
            planner.add(sequence(3, 2, "a", -7));
        }

        assertThat(order(planner)).containsExactly(1L, 2L, 3L, 4L, 5L);
    }

    @Test
    void startsTheFirstByPriorityWhenThereIsRoom() {
        StepPlanner planner = planner(TWO_RUNNING, 64);
        CountingReplica replica = new CountingReplica(64, 4);
        planner.add(sequence(3, 4, "a", 0));
        planner.add(sequence(3, 4, "a", 0));
        planner.plan().ifPresent(replica::execute);
        Sequence late = sequence(3, 1, "a", 10);
        Sequence urgent = sequence(3, 1, "a", -10);
        planner.add(late);
        planner.add(urgent);
        List<Long> ended = new ArrayList<>();

        while (!planner.sequences().isEmpty()) {
            retire(planner, replica).stream()
                    .map(StepPlanner.Progress::sequence)
                    .filter(Sequence::isFinished)
                    .forEach(sequence -> ended.add(sequence.id()));
            planner.plan().ifPresent(replica::execute);
        }

        assertThat(ended.indexOf(urgent.id())).isLessThan(ended.indexOf(late.id()));
    }

    @Test
    void putsTheLastByPriorityBackWhenBlocksRunOut() {
        StepPlanner planner = planner(ONE_IN_FLIGHT, 6);
        CountingReplica replica = new CountingReplica(6, 4);
        Sequence unimportant = sequence(8, 12, "a", 50);
        Sequence usual = sequence(8, 12, "a", 0);
        planner.add(unimportant);
        planner.plan().ifPresent(replica::execute);
        retire(planner, replica);
        planner.add(usual);

        while (planner.preemptions() == 0) {
            planner.plan().ifPresent(replica::execute);
            retire(planner, replica);
        }

        assertThat(unimportant.holdsBlocks()).isFalse();
        assertThat(usual.holdsBlocks()).isTrue();
        runToTheEnd(planner, replica);
        assertThat(drawn.get(unimportant.id())).isEqualTo(CountingReplica.completion(unimportant.submission(), 0));
    }

    /** A tenant that always has something more urgent to ask serves its least urgent request after as many as it may be passed by. */
    @Test
    void theLastPriorityHasItsTurnHoweverManyUrgentOnesKeepComing() {
        StepPlanner planner = planner(new StepLimits(32, 16, 8, 1, 1, 8), 64);
        CountingReplica replica = new CountingReplica(64, 4);
        planner.add(sequence(3, 1, "a", -2));
        Sequence patient = sequence(3, 1, "a", 1);
        planner.add(patient);
        int overtakers = 0;

        while (planner.sequences().contains(patient)) {
            planner.add(sequence(3, 1, "a", -2));
            planner.plan().ifPresent(replica::execute);
            retire(planner, replica);
            overtakers++;
            assertThat(overtakers).isLessThanOrEqualTo(3 * Precedence.OVERTAKERS + 2);
        }

        assertThat(overtakers).isGreaterThan(3 * Precedence.OVERTAKERS / 2);
    }

    @Test
    void refusesWhatIsNoPriority() {
        assertThatThrownBy(() -> new Precedence(101, "a")).hasMessage("priority=101, expected -100 to 100");
    }

    static LongStream seeds() {
        return LongStream.rangeClosed(1, 150);
    }

    /**
     * Two runs of the same random load, one with priorities of tenant a and one without: the tokens are the same, all come to
     * their end, and in no step does a priority change which tenant has which place.
     */
    @ParameterizedTest
    @MethodSource("seeds")
    void prioritiesChangeNoTokensAndNoOtherTenantsPlaces(long seed) {
        Map<Long, List<Integer>> plain = load(seed, false);
        drawn.clear();
        ids = 0;

        Map<Long, List<Integer>> prioritized = load(seed, true);

        assertThat(prioritized).isEqualTo(plain).hasSize(40);
    }

    private Map<Long, List<Integer>> load(long seed, boolean prioritized) {
        Random random = new Random(seed);
        int blocks = 8 + random.nextInt(24);
        StepLimits limits =
                new StepLimits(24, 12, 1 + random.nextInt(8), 1 + random.nextInt(8), 1 + random.nextInt(3), 4);
        StepPlanner planner = new StepPlanner(EPOCH, limits, new KvBlockPool(blocks, 4));
        CountingReplica replica = new CountingReplica(blocks, 4);
        Random turns = new Random(seed + 1);
        Set<Sequence> all = new HashSet<>();
        int arrivals = 40;
        for (int i = 0; arrivals > 0 || !planner.sequences().isEmpty(); i++) {
            assertThat(i).as("rounds").isLessThan(100_000);
            if (arrivals > 0 && turns.nextInt(3) == 0) {
                arrivals--;
                int prompt = 1 + random.nextInt(blocks * 2);
                int most = 1 + random.nextInt(blocks * 4 - prompt + 1);
                String tenant = random.nextBoolean() ? "a" : "b";
                int priority = random.nextInt(-100, 101);
                Sequence sequence = sequence(prompt, most, tenant, prioritized && tenant.equals("a") ? priority : 0);
                all.add(sequence);
                planner.add(sequence);
            }
            requireOthersPlaces(planner);
            if (turns.nextBoolean()) {
                planner.plan().ifPresent(replica::execute);
            } else if (replica.stepsInFlight() > 0) {
                retire(planner, replica);
            }
        }
        while (replica.stepsInFlight() > 0) {
            planner.retire(replica.next());
        }
        assertThat(planner.pool().free()).isEqualTo(blocks);
        Map<Long, List<Integer>> tokens = new HashMap<>();
        all.forEach(sequence -> {
            assertThat(drawn.get(sequence.id())).isEqualTo(CountingReplica.completion(sequence.submission(), 0));
            tokens.put(sequence.id(), drawn.getOrDefault(sequence.id(), List.of()));
        });
        return tokens;
    }

    /** Every place belongs to the tenant whose request took it by its arrival, and tenant b's requests stand in their order. */
    private static void requireOthersPlaces(StepPlanner planner) {
        List<Sequence> order = List.copyOf(planner.sequences());
        List<String> byArrival = order.stream()
                .sorted((x, y) -> Long.compare(x.id(), y.id()))
                .map(sequence -> sequence.submission().precedence().tenant())
                .toList();
        assertThat(order.stream()
                        .map(sequence -> sequence.submission().precedence().tenant())
                        .toList())
                .isEqualTo(byArrival);
        assertThat(order.stream()
                        .filter(sequence ->
                                sequence.submission().precedence().tenant().equals("b"))
                        .map(Sequence::id)
                        .toList())
                .isSorted();
    }
}
