package dev.troupe.serving;

import dev.troupe.generation.Generation;
import dev.troupe.generation.GenerationEvent;
import dev.troupe.generation.GenerationRequest;
import dev.troupe.generation.LogEntry;
import dev.troupe.generation.MemoryTokenLog;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.stage.Epoch;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.pekko.actor.testkit.typed.Effect;
import org.apache.pekko.actor.testkit.typed.javadsl.TestInbox;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * One run of real generations and real schedulers on three nodes that crash, pause, start again and lose their links, beside a
 * front end that stays. While faults last no client may see a token lost, doubled, out of order or different from those of an
 * undisturbed run; after they have been healed every generation must end, and every block must be free.
 */
final class FailOverSimulation {
    private static final int NODES = 3;
    private static final long FAULTS_MILLIS = 20_000;
    private static final long HEALING_MILLIS = 300_000;
    private static final SchedulerSettings SETTINGS = new SchedulerSettings(
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
    private static final Generation.Settings GENERATION =
            new Generation.Settings(Duration.ofMinutes(3), Duration.ofSeconds(4), Duration.ofSeconds(30), 64);

    private final SimulatedWorld world;
    private final SimulatedWorld.Node front;
    private final Map<SimulatedWorld.Node, Host> hosts = new HashMap<>();
    private final Map<SimulatedWorld.Node, Epoch> promised = new HashMap<>();
    private final List<SimulatedEpoch> epochs = new ArrayList<>();
    private final List<Stream> streams = new ArrayList<>();
    private final List<SimulatedWorld.Node> known = new ArrayList<>();
    private final Set<SimulatedWorld.Node> believedLost = new HashSet<>();
    private final Map<GenerationFailure.Kind, Integer> failures = new EnumMap<>(GenerationFailure.Kind.class);
    private long rounds;

    FailOverSimulation(long seed) {
        world = new SimulatedWorld(seed);
        front = world.start(0);
        for (int place = 1; place <= NODES; place++) {
            known.add(world.start(place));
        }
    }

    /** What one run did. */
    record Outcome(int epochs, int stale, int completed, Map<GenerationFailure.Kind, Integer> failures) {}

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
                world.later(world.random.nextInt(15_000), () -> streams.add(new Stream(index)));
            }
            world.later(500, this::fault);
            world.run(FAULTS_MILLIS, () -> false);
            heal();
            world.run(
                    HEALING_MILLIS,
                    () -> streams.size() == count && streams.stream().allMatch(Stream::isOver));
            require(
                    streams.size() == count && streams.stream().allMatch(Stream::isOver),
                    "not over %d s after all was healed: %s".formatted(HEALING_MILLIS / 1000, streams));
            world.run(60_000, () -> false);
            requireAllBlocksFree();
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("%s%n%s".formatted(e, world.trace()), e);
        }
        return new Outcome(
                epochs.size(),
                epochs.stream().mapToInt(SimulatedEpoch::stale).sum(),
                (int) streams.stream().filter(stream -> stream.failure == null).count(),
                failures);
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    // Faults.

    private void fault() {
        SimulatedWorld.Node victim = world.at(1 + world.random.nextInt(NODES));
        switch (world.random.nextInt(5)) {
            case 0, 1 -> crash(victim);
            case 2 -> pause(victim, 100 + world.random.nextInt(8_000));
            case 3, 4 -> {
                SimulatedWorld.Node other = world.at(world.random.nextInt(NODES + 1));
                if (victim != other) {
                    world.cut(victim, other, world.random.nextBoolean(), 100 + world.random.nextInt(5_000));
                    doubt(victim);
                }
            }
            default -> throw new IllegalStateException("no such fault");
        }
        if (world.now() / 1_000_000 < FAULTS_MILLIS - 3_000) {
            world.later(200 + world.random.nextInt(3_000), this::fault);
        }
    }

    private void crash(SimulatedWorld.Node victim) {
        if (!victim.alive) {
            return;
        }
        world.crash(victim);
        for (SimulatedEpoch epoch : epochs) {
            if (epoch.ranks.contains(victim) && epoch.home.alive) {
                world.later(1 + world.random.nextInt(60), () -> epoch.lose(victim + " has crashed"));
            }
        }
        world.later(20 + world.random.nextInt(1_200), () -> {
            believedLost.add(victim);
            Host host = hosts.get(victim);
            if (host != null && host.actor != null) {
                ActorRef<Scheduler.Command> ref = host.actor.ref();
                streams.forEach(stream -> stream.actor.ended(ref));
            }
        });
        world.later(500 + world.random.nextInt(3_000), () -> restart(victim.place));
    }

    private void restart(int place) {
        if (!world.at(place).alive) {
            SimulatedWorld.Node fresh = world.start(place);
            world.later(300 + world.random.nextInt(500), () -> known.add(fresh));
        }
    }

    private void pause(SimulatedWorld.Node victim, long millis) {
        if (victim.alive && !victim.paused) {
            world.pause(victim, millis);
            doubt(victim);
        }
    }

    /** After a while the front end believes that a node that does not answer is lost, and again that it is there. */
    private void doubt(SimulatedWorld.Node victim) {
        world.later(1_000 + world.random.nextInt(1_000), () -> {
            if (!world.answers(front, victim)) {
                believedLost.add(victim);
                believeAgain(victim);
            }
        });
    }

    private void believeAgain(SimulatedWorld.Node victim) {
        world.later(100, () -> {
            if (world.answers(front, victim)) {
                believedLost.remove(victim);
            } else if (victim.alive) {
                believeAgain(victim);
            }
        });
    }

    private void heal() {
        world.heal();
        for (int place = 1; place <= NODES; place++) {
            restart(place);
        }
    }

    // Placement, as guardians and placers do it.

    private void place(SimulatedWorld.Node home, Effect.AskInitiated<?, ?, ?> ask) {
        Placement.Request request = (Placement.Request) ask.askMessage();
        @SuppressWarnings("unchecked") // a question to placement
        Effect.AskInitiated<Placement.Request, Placement.Outcome, ?> typed =
                (Effect.AskInitiated<Placement.Request, Placement.Outcome, ?>) ask;
        boolean waits = IntStream.rangeClosed(1, NODES).anyMatch(place -> !world.answers(home, world.at(place)));
        world.after(home, (waits ? 500 : 2) + world.random.nextInt(20), () -> {
            typed.respondWith(outcome(home, request));
            host(home).wake();
        });
    }

    private Placement.Outcome outcome(SimulatedWorld.Node home, Placement.Request request) {
        List<SimulatedWorld.Node> there = IntStream.rangeClosed(1, NODES)
                .mapToObj(world::at)
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
        SimulatedWorld.Node first = there.get(world.random.nextInt(there.size()));
        SimulatedWorld.Node last = there.get(world.random.nextInt(there.size()));
        if (request.here()) {
            first = home;
            last = home;
        }
        SimulatedEpoch placed = new SimulatedEpoch(
                world,
                epoch,
                home,
                List.of(first, last),
                () -> host(home).wake(),
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

    // Schedulers.

    private Host host(SimulatedWorld.Node node) {
        return hosts.computeIfAbsent(node, Host::new);
    }

    /** The scheduler of one node; it starts with its first message, and anew after it has stopped. */
    private final class Host {
        private final SimulatedWorld.Node node;
        private final Map<ActorRef<Scheduler.Update>, TestInbox<Scheduler.Update>> replies = new HashMap<>();
        private final Map<ActorRef<Scheduler.Update>, Stream> readers = new HashMap<>();
        private @Nullable SimulatedActor<Scheduler.Command> actor;

        Host(SimulatedWorld.Node node) {
            this.node = node;
        }

        void tell(Scheduler.Command command) {
            if (actor == null || !actor.isAlive()) {
                TestInbox<Placement.Request> placement = TestInbox.create();
                actor = new SimulatedActor<>(
                        world,
                        node,
                        Scheduler.create(SETTINGS, placement.getRef(), world::now),
                        ask -> place(node, ask),
                        this::drain);
            }
            actor.tell(command);
        }

        void wake() {
            if (actor != null) {
                actor.wake();
            }
        }

        /** Carries what is said to {@code replyTo} from here. */
        ActorRef<Scheduler.Update> replyTo(Stream stream, ActorRef<Scheduler.Update> replyTo) {
            readers.put(replyTo, stream);
            return replies.computeIfAbsent(replyTo, _ -> TestInbox.create()).getRef();
        }

        private void drain() {
            epochs.stream().filter(epoch -> epoch.home == node).toList().forEach(SimulatedEpoch::drain);
            replies.forEach((replyTo, inbox) -> {
                Stream stream = Objects.requireNonNull(readers.get(replyTo));
                inbox.getAllReceived().forEach(update -> world.send(node, front, () -> stream.update(replyTo, update)));
            });
        }
    }

    // Clients.

    /** One generation, and the client that reads it. */
    private final class Stream {
        private final GenerationId id;
        private final GenerationRequest request;
        private final List<List<Integer>> expected = new ArrayList<>();
        private final List<List<Integer>> seen = new ArrayList<>();
        private final TestInbox<GenerationEvent> subscriber = TestInbox.create();
        private final Map<SimulatedWorld.Node, TestInbox<Scheduler.Command>> ways = new HashMap<>();
        private final SimulatedActor<Generation.Command> actor;
        private long entries;
        private boolean ended;
        private @Nullable GenerationFailure failure;

        Stream(int index) {
            id = new GenerationId("g" + index, "front");
            int prompt = 1 + world.random.nextInt(20);
            request = GenerationRequest.of(
                            "counting",
                            Ints.of(IntStream.range(0, prompt)
                                    .map(i -> world.random.nextInt(CountingReplica.VOCABULARY))
                                    .toArray()))
                    .n(1 + world.random.nextInt(2))
                    .maxTokens(1 + world.random.nextInt(60))
                    .sampling(SamplingParameters.greedy())
                    .build();
            for (int choice = 0; choice < request.n(); choice++) {
                Submission submission = new Submission(
                        id,
                        "",
                        request.prompt(),
                        List.of(new Submission.Choice(choice, Ints.of())),
                        request.sampling(),
                        request.finish(),
                        request.returns());
                expected.add(CountingReplica.completion(submission, choice));
                seen.add(new ArrayList<>());
            }
            actor = new SimulatedActor<>(
                    world,
                    front,
                    Generation.create(id, this::route, MemoryTokenLog::open, GENERATION),
                    ask -> {},
                    this::drain);
            actor.tell(new Generation.Start(
                    request, TestInbox.<Generation.Started>create().getRef()));
            actor.tell(new Generation.Subscribe(1, 0, 1_000_000, subscriber.getRef()));
        }

        private Router.Route route(String model) {
            List<Router.Way> there = known.stream()
                    .filter(node -> !believedLost.contains(node))
                    .sorted(Comparator.comparingLong((SimulatedWorld.Node node) -> node.startedAt)
                            .thenComparingInt(node -> node.place))
                    .map(node -> new Router.Way(
                            node.toString(),
                            node.uid,
                            ways.computeIfAbsent(node, _ -> TestInbox.create()).getRef()))
                    .toList();
            return there.isEmpty() ? new Router.NotYet("all nodes are lost") : new Router.Found(there);
        }

        void update(ActorRef<Scheduler.Update> replyTo, Scheduler.Update update) {
            replyTo.tell(update);
            actor.wake();
        }

        private void drain() {
            ways.forEach((node, inbox) -> inbox.getAllReceived().forEach(command -> {
                Scheduler.Command carried = carried(node, command);
                world.send(front, node, new Runnable() {
                    private boolean arrived;

                    @Override
                    public void run() {
                        if (!arrived) { // Artery repeats nothing
                            arrived = true;
                            host(node).tell(carried);
                        }
                    }
                });
            }));
            subscriber.getAllReceived().forEach(this::read);
        }

        private Scheduler.Command carried(SimulatedWorld.Node node, Scheduler.Command command) {
            return switch (command) {
                case Scheduler.Submit(Submission submission, ActorRef<Scheduler.Update> replyTo) -> {
                    world.note("%s goes to %s with %s".formatted(id, node, submission.choices()));
                    yield new Scheduler.Submit(submission, host(node).replyTo(this, replyTo));
                }
                case Scheduler.Probe(GenerationId probed, ActorRef<Scheduler.Update> replyTo) ->
                    new Scheduler.Probe(probed, host(node).replyTo(this, replyTo));
                default -> command;
            };
        }

        private void read(GenerationEvent event) {
            require(!isOver(), "%s got %s after its end".formatted(id, event));
            switch (event) {
                case GenerationEvent.Entries(GenerationId _, long first, List<LogEntry> read) -> {
                    require(first == entries, "%s got entry %d, expected %d".formatted(id, first, entries));
                    entries += read.size();
                    read.forEach(this::read);
                }
                case GenerationEvent.Ended _ -> {
                    ended = true;
                    require(seen.equals(expected), "%s ended with %s, expected %s".formatted(id, seen, expected));
                }
                case GenerationEvent.Failed(GenerationId _, GenerationFailure reason) -> {
                    failure = reason;
                    world.note("%s failed: %s".formatted(id, reason));
                    failures.merge(reason.kind(), 1, Integer::sum);
                    require(
                            reason.kind() == GenerationFailure.Kind.POISON
                                    || reason.kind() == GenerationFailure.Kind.LOST
                                    || reason.kind() == GenerationFailure.Kind.NO_CAPACITY,
                            "%s failed: %s".formatted(id, reason));
                }
            }
        }

        private void read(LogEntry entry) {
            if (entry instanceof LogEntry.Computed computed && computed.output() instanceof Output.Token token) {
                List<Integer> tokens = seen.get(token.choice());
                List<Integer> right = expected.get(token.choice());
                require(
                        token.position() == request.prompt().size() + tokens.size()
                                && tokens.size() < right.size()
                                && right.get(tokens.size()) == token.token(),
                        "%s got %s after %s, expected %s".formatted(id, token, tokens, right));
                tokens.add(token.token());
            }
        }

        boolean isOver() {
            return ended || failure != null;
        }

        @Override
        public String toString() {
            return "%s (%d entries, over: %s)".formatted(id, entries, isOver());
        }
    }

    private void requireAllBlocksFree() {
        for (Host host : hosts.values()) {
            if (host.node.alive && host.actor != null && host.actor.isAlive()) {
                TestInbox<SchedulerStats> stats = TestInbox.create();
                host.tell(new Scheduler.GetStats(stats.getRef()));
                SchedulerStats now = stats.receiveMessage();
                require(
                        now.generations() == 0,
                        "%s still knows %d generations".formatted(host.node, now.generations()));
                require(
                        !now.serving() || now.freeBlocks() == SimulatedEpoch.BLOCKS,
                        "%s has %d free blocks of %d".formatted(host.node, now.freeBlocks(), SimulatedEpoch.BLOCKS));
            }
        }
    }
}
