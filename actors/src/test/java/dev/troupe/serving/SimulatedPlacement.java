package dev.troupe.serving;

import dev.troupe.stage.Epoch;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.apache.pekko.actor.testkit.typed.Effect;

/** Epochs and what nodes have promised, as guardians and placers keep them. */
final class SimulatedPlacement {
    private final SimulatedWorld world;
    private final int nodes;
    private final Consumer<SimulatedWorld.Node> wake;
    private final Map<SimulatedWorld.Node, Epoch> promised = new HashMap<>();
    private final List<SimulatedEpoch> epochs = new ArrayList<>();
    private long rounds;

    /**
     * @param nodes places from 1 that ranks may have
     * @param wake makes the scheduler of a node take what it was told
     */
    SimulatedPlacement(SimulatedWorld world, int nodes, Consumer<SimulatedWorld.Node> wake) {
        this.world = world;
        this.nodes = nodes;
        this.wake = wake;
    }

    List<SimulatedEpoch> epochs() {
        return epochs;
    }

    /** Steps of epochs that were over, dropped by ranks. */
    int stale() {
        return epochs.stream().mapToInt(SimulatedEpoch::stale).sum();
    }

    /** Answers the question of the scheduler at {@code home}. */
    void place(SimulatedWorld.Node home, Effect.AskInitiated<?, ?, ?> ask) {
        if (ask.askMessage() instanceof Placement.Inquiry inquiry) {
            inquire(home, inquiry, ask);
            return;
        }
        Placement.Request request = (Placement.Request) ask.askMessage();
        @SuppressWarnings("unchecked") // a question to placement
        Effect.AskInitiated<Placement.Request, Placement.Outcome, ?> typed =
                (Effect.AskInitiated<Placement.Request, Placement.Outcome, ?>) ask;
        boolean waits = places().anyMatch(place -> !world.answers(home, world.at(place)));
        world.after(home, (waits ? 500 : 2) + world.random.nextInt(20), () -> {
            typed.respondWith(outcome(home, request));
            wake.accept(home);
        });
    }

    /** How the ranks are, as far as their nodes answer in time. */
    private void inquire(SimulatedWorld.Node home, Placement.Inquiry inquiry, Effect.AskInitiated<?, ?, ?> ask) {
        @SuppressWarnings("unchecked") // a question about ranks
        Effect.AskInitiated<Placement.Inquiry, Placement.Findings, ?> typed =
                (Effect.AskInitiated<Placement.Inquiry, Placement.Findings, ?>) ask;
        boolean waits = places().anyMatch(place -> !world.answers(home, world.at(place)));
        long delay = waits ? inquiry.within().toMillis() : 2 + world.random.nextInt(20);
        world.after(home, delay, () -> {
            List<Placement.RankReport> ranks = epochs.stream()
                    .flatMap(epoch -> epoch.reports(node -> world.answers(home, node) && world.answers(node, home)))
                    .toList();
            world.note("%s hears of %d ranks".formatted(home, ranks.size()));
            typed.respondWith(new Placement.Findings(ranks, 2));
            wake.accept(home);
        });
    }

    private IntStream places() {
        return IntStream.rangeClosed(1, nodes);
    }

    private Placement.Outcome outcome(SimulatedWorld.Node home, Placement.Request request) {
        List<SimulatedWorld.Node> there = places().mapToObj(world::at)
                .filter(node -> world.answers(home, node) && world.answers(node, home))
                .toList();
        Epoch highest = there.stream()
                .map(node -> promised.getOrDefault(node, Epoch.NONE))
                .max(Comparator.naturalOrder())
                .orElse(Epoch.NONE);
        if (request.above().issuer() == home.uid
                && highest.compareTo(request.above()) > 0
                && highest.issuer() != home.uid) {
            return new Placement.Superseded(highest);
        }
        rounds = Math.max(rounds, Math.max(highest.round(), request.above().round())) + 1;
        Epoch epoch = new Epoch(rounds, home.uid);
        there.forEach(node -> promise(node, epoch));
        List<SimulatedWorld.Node> staying =
                there.stream().filter(node -> !node.leaving).toList();
        List<SimulatedWorld.Node> hosts = staying.isEmpty() ? there : staying;
        SimulatedWorld.Node first = hosts.get(world.random.nextInt(hosts.size()));
        SimulatedWorld.Node last = hosts.get(world.random.nextInt(hosts.size()));
        if (request.here()) {
            first = home;
            last = home;
        }
        SimulatedEpoch placed = new SimulatedEpoch(
                world,
                epoch,
                home,
                List.of(first, last),
                () -> wake.accept(home),
                node -> promised.getOrDefault(node, Epoch.NONE).compareTo(epoch) > 0);
        epochs.add(placed);
        world.note("%s on %s, ranks on %s and %s".formatted(epoch, home, first, last));
        return placed.placed();
    }

    private void promise(SimulatedWorld.Node node, Epoch epoch) {
        promised.put(node, epoch);
        for (SimulatedEpoch lower : epochs) {
            if (lower.ranks.contains(node) && lower.epoch.compareTo(epoch) < 0) {
                world.send(node, lower.home, () -> lower.lose("superseded"));
            }
        }
    }

    /** What ran on {@code node} is over: schedulers elsewhere hear of it. */
    void lose(SimulatedWorld.Node node, String why) {
        for (SimulatedEpoch epoch : epochs) {
            if (epoch.ranks.contains(node) && epoch.home.alive) {
                world.later(1 + world.random.nextInt(60), () -> epoch.lose(node + " " + why));
            }
        }
    }
}
