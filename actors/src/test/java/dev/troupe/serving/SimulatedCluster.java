package dev.troupe.serving;

import dev.troupe.generation.HeldLogsOfNode;
import dev.troupe.generation.LogKeeper;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.pekko.actor.testkit.typed.javadsl.TestInbox;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * The nodes of one cluster, from place 1 on, and clients at place 0: real schedulers with their epochs, real keepers of logs, and
 * who believes whom to be lost. Nodes crash, pause, leave, start again and lose their links.
 */
final class SimulatedCluster {
    static final SchedulerSettings SETTINGS = new SchedulerSettings(
            "counting",
            0,
            2,
            1,
            new StepLimits(32, 16, 8, 8, 2, 8),
            200,
            100,
            1 << 20,
            new SchedulerSettings.Waits(
                    Duration.ofSeconds(10),
                    Duration.ofSeconds(1),
                    Duration.ofSeconds(30),
                    Duration.ofSeconds(3),
                    Duration.ofSeconds(1),
                    Duration.ofSeconds(120)));
    private static final Comparator<SimulatedWorld.Node> OLDEST_FIRST = Comparator.comparingLong(
                    (SimulatedWorld.Node node) -> node.startedAt)
            .thenComparingInt(node -> node.place);
    private static final Duration HELD_FOR = Duration.ofSeconds(30);

    final SimulatedWorld world;
    final SimulatedWorld.Node clients;
    final SimulatedPlacement placement;
    private final int size;
    private final List<SimulatedWorld.Node> known = new ArrayList<>();
    private final Map<SimulatedWorld.Node, Set<SimulatedWorld.Node>> lost = new LinkedHashMap<>();
    private final Map<SimulatedWorld.Node, Host> hosts = new LinkedHashMap<>();
    private final Map<SimulatedWorld.Node, HeldLogsOfNode> keepers = new LinkedHashMap<>();
    private final List<SimulatedOwner> owners = new ArrayList<>();

    SimulatedCluster(SimulatedWorld world, int size) {
        this.world = world;
        this.size = size;
        this.placement = new SimulatedPlacement(world, size, node -> host(node).wake());
        this.clients = world.start(0);
        for (int place = 1; place <= size; place++) {
            known.add(world.start(place));
        }
    }

    /** Some node, dead or alive. */
    SimulatedWorld.Node any() {
        return world.at(1 + world.random.nextInt(size));
    }

    /** The nodes that {@code viewer} believes to be there, oldest first; it may be one of them. */
    List<SimulatedWorld.Node> live(SimulatedWorld.Node viewer) {
        Set<SimulatedWorld.Node> believed = lost.getOrDefault(viewer, Set.of());
        List<SimulatedWorld.Node> live = new ArrayList<>(known.size());
        for (SimulatedWorld.Node node : known) {
            if (!believed.contains(node)) {
                live.add(node);
            }
        }
        return live;
    }

    void add(SimulatedOwner owner) {
        owners.add(owner);
    }

    // Faults.

    void crash(SimulatedWorld.Node victim) {
        if (!victim.alive) {
            return;
        }
        world.crash(victim);
        placement.lose(victim, "has crashed");
        for (SimulatedWorld.Node viewer : viewers()) {
            world.later(20 + world.random.nextInt(1_200), () -> losing(viewer, victim));
        }
        world.later(500 + world.random.nextInt(3_000), () -> restart(victim.place));
    }

    /** Leaves in order: others are told first, then what it does ends, then its process. */
    void leave(SimulatedWorld.Node victim) {
        if (!victim.alive || victim.paused || victim.leaving) {
            return;
        }
        world.note(victim + " leaves");
        victim.leaving = true;
        for (SimulatedWorld.Node viewer : viewers()) {
            world.send(victim, viewer, () -> believe(viewer, victim));
        }
        placement.lose(victim, "leaves");
        world.after(victim, 300 + world.random.nextInt(1_000), () -> {
            host(victim).stop();
            owners.stream().filter(owner -> owner.node == victim).toList().forEach(SimulatedOwner::stop);
            crash(victim);
        });
    }

    void pause(SimulatedWorld.Node victim, long millis) {
        if (victim.alive && !victim.paused) {
            world.pause(victim, millis);
            viewers().forEach(viewer -> doubt(viewer, victim));
        }
    }

    void cut(SimulatedWorld.Node a, SimulatedWorld.Node b, boolean both, long millis) {
        if (a != b) {
            world.cut(a, b, both, millis);
            doubt(a, b);
            doubt(b, a);
        }
    }

    private void restart(int place) {
        if (!world.at(place).alive) {
            SimulatedWorld.Node fresh = world.start(place);
            known.stream().filter(node -> !node.alive).forEach(node -> believe(fresh, node));
            world.later(300 + world.random.nextInt(500), () -> {
                known.add(fresh);
                known.sort(OLDEST_FIRST);
            });
        }
    }

    /** Everybody starts again and hears everybody. */
    void heal() {
        world.heal();
        for (int place = 1; place <= size; place++) {
            restart(place);
        }
    }

    private List<SimulatedWorld.Node> viewers() {
        List<SimulatedWorld.Node> viewers = new ArrayList<>();
        for (int place = 0; place <= size; place++) {
            viewers.add(world.at(place));
        }
        return viewers;
    }

    private void believe(SimulatedWorld.Node viewer, SimulatedWorld.Node victim) {
        if (viewer != victim) {
            lost.computeIfAbsent(viewer, _ -> new HashSet<>()).add(victim);
        }
    }

    private void losing(SimulatedWorld.Node viewer, SimulatedWorld.Node victim) {
        believe(viewer, victim);
        Host host = hosts.get(victim);
        if (host != null && host.actor != null) {
            ActorRef<Scheduler.Command> scheduler = host.actor.ref();
            owners.stream().filter(owner -> owner.node == viewer).forEach(owner -> owner.ended(scheduler));
        }
        owners.stream()
                .filter(owner -> owner.node == victim)
                .forEach(owner -> host(viewer).ended(owner));
    }

    /** After a while {@code viewer} believes that a node that does not answer is lost, and again that it is there. */
    private void doubt(SimulatedWorld.Node viewer, SimulatedWorld.Node victim) {
        world.later(1_000 + world.random.nextInt(1_000), () -> {
            if (!world.answers(viewer, victim) && viewer.alive) {
                believe(viewer, victim);
                believeAgain(viewer, victim);
            }
        });
    }

    private void believeAgain(SimulatedWorld.Node viewer, SimulatedWorld.Node victim) {
        world.later(100, () -> {
            if (world.answers(viewer, victim) && !victim.leaving) {
                lost.computeIfAbsent(viewer, _ -> new HashSet<>()).remove(victim);
            } else if (victim.alive && viewer.alive) {
                believeAgain(viewer, victim);
            }
        });
    }

    // Schedulers.

    /** Carries what a generation says to the scheduler of {@code node}. */
    void toScheduler(SimulatedOwner owner, SimulatedWorld.Node node, Scheduler.Command command) {
        Scheduler.Command carried = switch (command) {
            case Scheduler.Submit(Submission submission, ActorRef<Scheduler.Update> replyTo) -> {
                world.note("%s goes to %s with %s".formatted(submission.id(), node, submission.choices()));
                yield new Scheduler.Submit(submission, host(node).answers(owner, replyTo));
            }
            case Scheduler.Probe(GenerationId probed, ActorRef<Scheduler.Update> replyTo) ->
                new Scheduler.Probe(probed, host(node).answers(owner, replyTo));
            default -> command;
        };
        world.send(owner.node, node, once(() -> host(node).tell(carried)));
    }

    /** Artery repeats nothing. */
    static Runnable once(Runnable arrival) {
        return new Runnable() {
            private boolean arrived;

            @Override
            public void run() {
                if (!arrived) {
                    arrived = true;
                    arrival.run();
                }
            }
        };
    }

    private Host host(SimulatedWorld.Node node) {
        return hosts.computeIfAbsent(node, Host::new);
    }

    /** The scheduler of one node; it starts with its first message, and anew after it has stopped. */
    private final class Host {
        private final SimulatedWorld.Node node;
        private final Mailbox<Scheduler.Update> answers;
        private @Nullable SimulatedActor<Scheduler.Command> actor;

        Host(SimulatedWorld.Node node) {
            this.node = node;
            this.answers = new Mailbox<>(node);
        }

        void tell(Scheduler.Command command) {
            SimulatedActor<Scheduler.Command> current = actor;
            if (current == null || !current.isAlive()) {
                TestInbox<Placement.Command> asked = TestInbox.create();
                current = new SimulatedActor<>(
                        world,
                        node,
                        Scheduler.create(SETTINGS, asked.getRef(), world::now),
                        ask -> placement.place(node, ask),
                        this::drain);
                actor = current;
            }
            current.tell(command);
        }

        void stop() {
            if (actor != null) {
                actor.tell(Scheduler.Stop.INSTANCE);
            }
        }

        void wake() {
            if (actor != null) {
                actor.wake();
            }
        }

        void ended(SimulatedOwner owner) {
            SimulatedActor<Scheduler.Command> current = actor;
            if (current != null) {
                answers.of(owner).forEach(current::ended);
            }
        }

        ActorRef<Scheduler.Update> answers(SimulatedOwner owner, ActorRef<Scheduler.Update> replyTo) {
            return answers.ref(owner, replyTo);
        }

        private void drain() {
            placement.epochs().stream()
                    .filter(epoch -> epoch.home == node)
                    .toList()
                    .forEach(SimulatedEpoch::drain);
            answers.drain();
        }
    }

    // Keepers.

    /** Carries what a generation says to the keeper of {@code node}. */
    void toKeeper(SimulatedOwner owner, SimulatedWorld.Node node, LogKeeper.Command command) {
        HeldLogsOfNode keeper = keepers.computeIfAbsent(node, _ -> new HeldLogsOfNode(HELD_FOR, world::now));
        world.send(
                owner.node,
                node,
                once(() -> keeper.on(command, (replyTo, answer) -> {
                    world.send(node, owner.node, () -> {
                        replyTo.tell(answer);
                        owner.wake();
                    });
                })));
    }

    /** What is said on one node to generations: each gets it from there, by the network. */
    private final class Mailbox<T> {
        private record Slot<T>(SimulatedOwner owner, ActorRef<T> replyTo, TestInbox<T> inbox) {}

        private final SimulatedWorld.Node node;
        private final Map<ActorRef<T>, Slot<T>> slots = new LinkedHashMap<>();

        Mailbox(SimulatedWorld.Node node) {
            this.node = node;
        }

        ActorRef<T> ref(SimulatedOwner owner, ActorRef<T> replyTo) {
            return slots.computeIfAbsent(replyTo, _ -> new Slot<>(owner, replyTo, TestInbox.create()))
                    .inbox()
                    .getRef();
        }

        List<ActorRef<T>> of(SimulatedOwner owner) {
            return slots.values().stream()
                    .filter(slot -> slot.owner() == owner)
                    .map(slot -> slot.inbox().getRef())
                    .toList();
        }

        void drain() {
            slots.values()
                    .removeIf(slot -> !slot.owner().isAlive() && !slot.inbox().hasMessages());
            for (Slot<T> slot : List.copyOf(slots.values())) {
                if (!slot.inbox().hasMessages()) {
                    continue;
                }
                for (T said : slot.inbox().getAllReceived()) {
                    world.send(node, slot.owner().node, () -> {
                        slot.replyTo().tell(said);
                        slot.owner().wake();
                    });
                }
            }
        }
    }

    /**
     * Asks all schedulers.
     *
     * @throws AssertionError if one still knows a generation, or holds a block
     */
    void requireAllBlocksFree() {
        for (Host host : hosts.values()) {
            if (host.node.alive && host.actor != null && host.actor.isAlive()) {
                TestInbox<SchedulerStats> stats = TestInbox.create();
                host.tell(new Scheduler.GetStats(stats.getRef()));
                SchedulerStats now = stats.receiveMessage();
                FailOverSimulation.require(
                        now.generations() == 0,
                        "%s still knows %d generations".formatted(host.node, now.generations()));
                FailOverSimulation.require(
                        !now.serving() || now.freeBlocks() == SimulatedEpoch.BLOCKS,
                        "%s has %d free blocks of %d".formatted(host.node, now.freeBlocks(), SimulatedEpoch.BLOCKS));
            }
        }
    }
}
