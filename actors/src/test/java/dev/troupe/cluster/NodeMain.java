package dev.troupe.cluster;

import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.slot.SlotHomes;
import dev.troupe.cluster.slot.SlotResolver;
import dev.troupe.process.ChildLoop;
import dev.troupe.serving.Placement;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.TensorShard;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.AddressFromURIString;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.cluster.typed.Cluster;

/**
 * A {@link TestNode} in a process of its own, steered by words: {@code join}, {@code complete}, {@code epoch}, ... Arguments
 * are host, port and roles.
 */
public final class NodeMain {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private final TestNode node;

    private NodeMain(TestNode node) {
        this.node = node;
    }

    public static void main(String[] arguments) throws IOException {
        String[] roles = arguments[2].split(",", -1);
        NodeMain main =
                new NodeMain(TestNode.start(TestNode.Options.of(arguments[0], Integer.parseInt(arguments[1]), roles)));
        ChildLoop.run(main.node.node().self().toString(), main::answer);
    }

    private String answer(String[] words) throws Exception {
        return switch (words[0]) {
            case "join" -> {
                node.join(AddressFromURIString.parse(words[1]));
                yield "joining";
            }
            case "complete" -> complete(Integer.parseInt(words[1]));
            case "epoch" -> epoch(Integer.parseInt(words[1]), Integer.parseInt(words[2]));
            case "coordinator" -> String.valueOf(hasCoordinator());
            case "members" -> members();
            case "losses" -> String.join(" | ", TestNode.LOSSES);
            case "promised" -> String.valueOf(node.node().promises().highest("tales/0"));
            default -> throw new IllegalArgumentException("unknown word '%s'".formatted(words[0]));
        };
    }

    private String complete(int nodes) {
        TestProbe<SlotHomes.Snapshot> complete = TestProbe.create(node.system());
        node.resolver().tell(new SlotResolver.WhenComplete(nodes, complete.getRef()));
        return complete.receiveMessage(LIMIT).homes().stream()
                .map(Object::toString)
                .collect(Collectors.joining(" "));
    }

    /** Places a new epoch and waits until all its ranks have answered: {@code epoch slot@host ...}, in order. */
    private String epoch(int stages, int ranks) {
        TestProbe<Placement.Outcome> outcomes = TestProbe.create(node.system());
        node.node()
                .placer()
                .tell(new Placement.Request("tales", 0, stages, ranks, Epoch.NONE, false, outcomes.getRef()));
        return switch (outcomes.receiveMessage(LIMIT)) {
            case Placement.Withdrawn withdrawn -> throw new IllegalStateException(withdrawn.reason());
            case Placement.Superseded superseded -> throw new IllegalStateException("by " + superseded.by());
            case Placement.NotPlaced not -> throw new IllegalStateException(not.reason());
            case Placement.Placed placed -> placed.epoch() + " " + String.join(" ", answers(placed));
        };
    }

    private List<String> answers(Placement.Placed placed) {
        ReplicaPlan plan = placed.plan();
        TestProbe<PipelineStage.Command> answers = TestProbe.create(node.system());
        int count = 0;
        for (int s = 0; s < plan.slots().size(); s++) {
            for (int r = 0; r < plan.slots().get(s).size(); r++) {
                ShardId id = new ShardId(placed.epoch(), s, r);
                String slot = plan.slots().get(s).get(r);
                node.node().shards().shard(id, plan).tell(new TensorShard.Prepare(id, slot, plan, answers.getRef()));
                count++;
            }
        }
        TreeMap<String, String> byRank = new TreeMap<>();
        for (int i = 0; i < count; i++) {
            PipelineStage.Preparing there = answers.expectMessageClass(PipelineStage.Preparing.class, LIMIT);
            ShardId id = there.peer().id();
            String wanted = plan.slots().get(id.stage()).get(id.rank());
            if (!wanted.equals(there.peer().lane())) {
                throw new IllegalStateException("%s answers from %s, wanted on %s"
                        .formatted(id, there.peer().lane(), wanted));
            }
            Address address = there.peer().ref().path().address();
            String host = address.getHost().orElse(node.node().self().host());
            byRank.put("%03d.%03d".formatted(id.stage(), id.rank()), wanted + "@" + host);
        }
        return new ArrayList<>(byRank.values());
    }

    /** Whether the shard coordinator of the ranks lives in this process. */
    private boolean hasCoordinator() throws Exception {
        try {
            ActorRef found = Adapter.toClassic(node.system())
                    .actorSelection(
                            "/system/sharding/%sCoordinator/singleton/coordinator".formatted(ClusterNode.SHARD.name()))
                    .resolveOne(Duration.ofSeconds(2))
                    .toCompletableFuture()
                    .get(10, TimeUnit.SECONDS);
            return found.path().address().hasLocalScope();
        } catch (ExecutionException e) {
            return false;
        }
    }

    private String members() {
        return StreamSupport.stream(
                        Cluster.get(node.system()).state().getMembers().spliterator(), false)
                .map(member -> Incarnation.of(member) + "=" + member.status())
                .collect(Collectors.joining(" "));
    }
}
