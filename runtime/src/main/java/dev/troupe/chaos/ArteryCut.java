package dev.troupe.chaos;

import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.remote.RARP;
import org.apache.pekko.remote.transport.ThrottlerTransportAdapter;

/**
 * Drops what Artery sends to a peer. It uses what Pekko's own tests use, which is there only with
 * {@code pekko.remote.artery.advanced.test-mode = on}: a node sets that where chaos is enabled.
 */
@SuppressWarnings("deprecation") // the commands are named after a transport that is gone
final class ArteryCut {
    private ArteryCut() {}

    static void cut(ActorSystem<?> system, String hostPort) {
        command(system, hostPort, ThrottlerTransportAdapter.blackholeThrottleMode());
    }

    static void heal(ActorSystem<?> system, String hostPort) {
        command(system, hostPort, ThrottlerTransportAdapter.unthrottledThrottleMode());
    }

    private static void command(ActorSystem<?> system, String hostPort, ThrottlerTransportAdapter.ThrottleMode mode) {
        int colon = hostPort.lastIndexOf(':');
        Address own = system.address();
        Address peer = new Address(
                own.protocol(),
                own.system(),
                hostPort.substring(0, colon),
                Integer.parseInt(hostPort.substring(colon + 1)));
        ((RARP) RARP.apply(Adapter.toClassic(system)))
                .provider()
                .transport()
                .managementCommand(new ThrottlerTransportAdapter.SetThrottle(
                        peer, ThrottlerTransportAdapter.sendDirection(), mode));
    }
}
