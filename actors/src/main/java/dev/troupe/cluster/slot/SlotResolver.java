package dev.troupe.cluster.slot;

import dev.troupe.cluster.guardian.NodeGuardian;
import dev.troupe.cluster.guardian.NodeInfo;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.ClusterEvent;
import org.apache.pekko.cluster.Member;
import org.apache.pekko.cluster.MemberStatus;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.Subscribe;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The actor that makes this node's regions learn the home of every slot of every member, as members come, and publishes
 * which are known. Whatever is not answered is asked again.
 */
public final class SlotResolver {
    private static final Logger LOG = LoggerFactory.getLogger(SlotResolver.class);

    private final ActorContext<Command> context;
    private final Setup setup;
    private final SlotBook book;
    private final Map<Incarnation, Member> members = new HashMap<>();
    private final List<WhenComplete> waiting = new ArrayList<>();
    private final ActorRef<NodeInfo> descriptions;
    private final ActorRef<SlotProbe.Here> answers;

    private SlotResolver(ActorContext<Command> context, Setup setup) {
        this.context = context;
        this.setup = setup;
        this.book = new SlotBook(setup.self(), setup.kinds());
        this.descriptions = context.messageAdapter(NodeInfo.class, Described::new);
        this.answers = context.messageAdapter(SlotProbe.Here.class, Answered::new);
    }

    /** What a resolver understands. */
    public sealed interface Command {}

    /** Tell when at least {@code nodes} members are there and all their slots may be used from here. */
    public record WhenComplete(int nodes, ActorRef<SlotHomes.Snapshot> replyTo) implements Command {}

    private record Changed(ClusterEvent.MemberEvent event) implements Command {}

    private record Described(NodeInfo info) implements Command {}

    private record Answered(SlotProbe.Here here) implements Command {}

    private enum Tick implements Command {
        INSTANCE
    }

    /**
     * What a resolver is made of.
     *
     * @param kinds name and role of every entity kind
     * @param probe sends a question to the probe of a kind in a slot
     * @param met gets what members say about themselves, again and again
     * @param homes where to publish
     * @param retry after which unanswered questions are asked again
     */
    record Setup(
            Incarnation self,
            Map<String, NodeRole> kinds,
            BiConsumer<SlotBook.Home, SlotProbe.Ask> probe,
            Consumer<NodeInfo> met,
            SlotHomes homes,
            Duration retry) {}

    static Behavior<Command> create(Setup setup) {
        return Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            SlotResolver resolver = new SlotResolver(context, setup);
            Cluster cluster = Cluster.get(context.getSystem());
            cluster.subscriptions()
                    .tell(Subscribe.create(
                            context.messageAdapter(ClusterEvent.MemberEvent.class, Changed::new),
                            ClusterEvent.MemberEvent.class));
            cluster.state().getMembers().forEach(resolver::note);
            timers.startTimerWithFixedDelay(Tick.INSTANCE, setup.retry());
            return resolver.resolving();
        }));
    }

    private Behavior<Command> resolving() {
        return Behaviors.receive(Command.class)
                .onMessage(Command.class, command -> {
                    on(command);
                    return Behaviors.same();
                })
                .build();
    }

    private void on(Command command) {
        switch (command) {
            case Changed changed -> {
                note(changed.event().member());
                describe();
            }
            case Described described -> {
                book.described(described.info());
                setup.met().accept(described.info());
                probe();
            }
            case Answered answered -> book.here(answered.here());
            case WhenComplete when -> waiting.add(when);
            case Tick _ -> {
                describe();
                probe();
            }
        }
        publish();
    }

    private void note(Member member) {
        Incarnation incarnation = Incarnation.of(member);
        if (member.status().equals(MemberStatus.removed()) || member.status().equals(MemberStatus.down())) {
            members.remove(incarnation);
            book.gone(incarnation);
        } else if (member.status().equals(MemberStatus.up())) {
            members.put(incarnation, member);
            book.up(incarnation);
        }
    }

    private void describe() {
        ActorSystem<?> system = context.getSystem();
        for (Incarnation incarnation : book.toDescribe()) {
            Member member = members.get(incarnation);
            if (member != null) {
                NodeGuardian.at(system, member.address()).tell(new NodeGuardian.Describe(descriptions));
            }
        }
    }

    private void probe() {
        for (SlotBook.Home home : book.toProbe()) {
            setup.probe().accept(home, new SlotProbe.Ask(answers));
        }
    }

    private void publish() {
        SlotHomes.Snapshot snapshot = book.snapshot();
        if (!snapshot.equals(setup.homes().now())) {
            LOG.debug("homes known: {}", snapshot.homes());
            setup.homes().publish(snapshot);
        }
        Iterator<WhenComplete> each = waiting.iterator();
        while (each.hasNext()) {
            WhenComplete when = each.next();
            if (snapshot.nodes().size() >= when.nodes() && snapshot.isComplete()) {
                when.replyTo().tell(snapshot);
                each.remove();
            }
        }
    }
}
