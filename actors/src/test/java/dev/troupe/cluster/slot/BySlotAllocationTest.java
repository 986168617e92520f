package dev.troupe.cluster.slot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.cluster.identity.Incarnation;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.RootActorPath;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import scala.collection.immutable.IndexedSeq;
import scala.concurrent.Await;
import scala.concurrent.Future;

class BySlotAllocationTest {
    private static final Incarnation SELF = new Incarnation("127.0.0.1", 2551, 1);
    private static final Incarnation OTHER = new Incarnation("127.0.0.2", 2551, 2);

    private static ActorTestKit kit;
    private static ActorRef own;
    private static ActorRef there;

    @BeforeAll
    static void regions() {
        kit = ActorTestKit.create(
                "regions",
                com.typesafe.config.ConfigFactory.parseString("""
                                pekko.actor.provider = remote
                                pekko.remote.artery.canonical { hostname = "127.0.0.1", port = 0 }
                                """)
                        .withFallback(com.typesafe.config.ConfigFactory.load()));
        own = Adapter.toClassic(kit.createTestProbe().getRef());
        there = region("127.0.0.2");
    }

    @AfterAll
    static void end() {
        kit.shutdownTestKit();
    }

    private static ActorRef region(String host) {
        return region(host, "region");
    }

    private static ActorRef region(String host, String name) {
        Address address = new Address("pekko", "regions", host, 2551);
        String path = new RootActorPath(address, "/").child(name).toString();
        return Adapter.toClassic(ActorRefResolver.get(kit.system()).<Object>resolveActorRef(path));
    }

    private static Future<ActorRef> allocate(String slot, Set<Incarnation> members, ActorRef... regions) {
        return allocate(new BySlotAllocation(SELF, () -> members), regions[regions.length - 1], slot, regions);
    }

    private static Future<ActorRef> allocate(
            BySlotAllocation allocation, ActorRef requester, String slot, ActorRef... regions) {
        Map<ActorRef, IndexedSeq<String>> current =
                Stream.of(regions).collect(Collectors.toMap(region -> region, _ -> noShards()));
        return allocation.allocateShard(requester, slot, current);
    }

    private static IndexedSeq<String> noShards() {
        return scala.jdk.javaapi.CollectionConverters.asScala(List.<String>of()).toIndexedSeq();
    }

    private static ActorRef result(Future<ActorRef> future) throws Exception {
        return Await.result(
                future,
                scala.concurrent.duration.Duration.fromNanos(
                        Duration.ofSeconds(1).toNanos()));
    }

    @Test
    void picksTheRegionOfTheSlotsNode() throws Exception {
        assertThat(result(allocate(OTHER + "/cpu0", Set.of(SELF, OTHER), own, there)))
                .isEqualTo(there);
    }

    @Test
    void takesARegionWithoutHostForItsOwn() throws Exception {
        assertThat(own.path().address().hasLocalScope()).isTrue();

        assertThat(result(allocate(SELF + "/cpu0", Set.of(SELF, OTHER), there, own)))
                .isEqualTo(own);
    }

    @Test
    void othersWaitForTheRegionThatAsksFromTheSlotsNodeWhateverElseIsKnownThere() throws Exception {
        BySlotAllocation allocation = new BySlotAllocation(SELF, () -> Set.of(SELF, OTHER));
        ActorRef former = region("127.0.0.2", "former");
        String slot = OTHER + "/cpu0";

        Future<ActorRef> first = allocate(allocation, own, slot, own, former);
        Future<ActorRef> second = allocate(allocation, own, slot, own, former, there);
        assertThat(first.isCompleted()).isFalse();
        assertThat(second.isCompleted()).isFalse();

        assertThat(result(allocate(allocation, there, slot, own, former, there)))
                .isEqualTo(there);
        assertThat(result(first)).isEqualTo(there);
        assertThat(result(second)).isEqualTo(there);
    }

    @Test
    void givesNothingToWhoHasNotRegistered() {
        BySlotAllocation allocation = new BySlotAllocation(SELF, () -> Set.of(SELF, OTHER));

        Future<ActorRef> home = allocate(allocation, there, OTHER + "/cpu0", own);

        assertThatThrownBy(() -> result(home)).hasMessageContaining("has no region on 127.0.0.2:2551#2 yet");
    }

    @Test
    void failsWhileTheNodeHasNoRegion() {
        Future<ActorRef> home = allocate(OTHER + "/cpu0", Set.of(SELF, OTHER), own);

        assertThatThrownBy(() -> result(home)).hasMessageContaining("has no region on 127.0.0.2:2551#2 yet");
    }

    @Test
    void leavesASlotOfAnotherLifeOfTheNodeUnanswered() {
        Incarnation before = new Incarnation(OTHER.host(), OTHER.port(), 77);

        Future<ActorRef> home = allocate(before + "/cpu0", Set.of(SELF, OTHER), own, there);

        assertThat(home.isCompleted()).isFalse();
    }

    @Test
    void failsForWhatIsNoSlot() {
        Future<ActorRef> home = allocate("shard-7", Set.of(SELF, OTHER), own, there);

        assertThatThrownBy(() -> result(home)).hasMessageContaining("'shard-7' is no slot");
    }

    @Test
    void neverRebalances() throws Exception {
        Future<Set<String>> moves =
                new BySlotAllocation(SELF, List::of).rebalance(Map.of(own, noShards(), there, noShards()), Set.of());

        assertThat(Await.result(moves, scala.concurrent.duration.Duration.Inf()))
                .isEmpty();
    }
}
