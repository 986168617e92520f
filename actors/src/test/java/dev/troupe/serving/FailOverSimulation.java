package dev.troupe.serving;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * One run of real generations, real schedulers and real log keepers on three nodes that crash, pause, leave, start again and lose
 * their links. While faults last no client may see a token lost, doubled, out of order or different from those of an undisturbed
 * run; after they have been healed every generation must end, and every block must be free.
 *
 * <p>Every second run has one fault at a time, with time to recover: in it nothing that a client was told may be lost, and no
 * generation be gone.
 */
final class FailOverSimulation {
    private static final int NODES = 3;
    private static final long FAULTS_MILLIS = 20_000;
    private static final long HEALING_MILLIS = 300_000;
    private static final int RECOVERY_MILLIS = 9_000;

    private final SimulatedWorld world;
    private final SimulatedCluster cluster;
    private final boolean oneFault;
    private final List<SimulatedClient> clients = new ArrayList<>();

    FailOverSimulation(long seed) {
        world = new SimulatedWorld(seed);
        cluster = new SimulatedCluster(world, NODES);
        oneFault = seed % 2 == 0;
    }

    /** What one run did. */
    record Outcome(int epochs, int stale, int moves, int completed, Map<GenerationFailure.Kind, Integer> failures) {}

    /**
     * Runs it.
     *
     * @throws AssertionError with a trace if a client saw what it must not see, or something never ended
     */
    Outcome run() {
        try {
            int count = 3 + world.random.nextInt(5);
            for (int i = 0; i < count; i++) {
                int index = i;
                world.later(
                        world.random.nextInt(15_000), () -> clients.add(new SimulatedClient(cluster, index, oneFault)));
            }
            world.later(500, this::fault);
            world.run(FAULTS_MILLIS, () -> false);
            cluster.heal();
            world.run(HEALING_MILLIS, () -> isOver(count));
            require(isOver(count), "not over %d s after all was healed: %s".formatted(HEALING_MILLIS / 1000, clients));
            world.run(60_000, () -> false);
            cluster.requireAllBlocksFree();
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("%s%n%s".formatted(e, world.trace()), e);
        }
        Map<GenerationFailure.Kind, Integer> failures = new EnumMap<>(GenerationFailure.Kind.class);
        for (SimulatedClient client : clients) {
            GenerationFailure failure = client.failure();
            if (failure != null) {
                failures.merge(failure.kind(), 1, Integer::sum);
            }
        }
        return new Outcome(
                cluster.placement.epochs().size(),
                cluster.placement.stale(),
                clients.stream().mapToInt(SimulatedClient::moves).sum(),
                (int) clients.stream()
                        .filter(client -> client.failure() == null)
                        .count(),
                failures);
    }

    private boolean isOver(int count) {
        return clients.size() == count && clients.stream().allMatch(SimulatedClient::isOver);
    }

    static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    private void fault() {
        SimulatedWorld.Node victim = cluster.any();
        int longest = oneFault ? 4_000 : 8_000;
        switch (world.random.nextInt(oneFault ? 4 : 6)) {
            case 0, 1 -> cluster.crash(victim);
            case 2 -> cluster.pause(victim, 100 + world.random.nextInt(longest));
            case 3 -> cluster.leave(victim);
            default ->
                cluster.cut(
                        victim,
                        world.random.nextInt(4) == 0 ? cluster.clients : cluster.any(),
                        world.random.nextBoolean(),
                        100 + world.random.nextInt(5_000));
        }
        int rest = oneFault ? RECOVERY_MILLIS : 200 + world.random.nextInt(3_000);
        if (world.now() / 1_000_000 + rest < FAULTS_MILLIS - 3_000) {
            world.later(rest, this::fault);
        }
    }
}
