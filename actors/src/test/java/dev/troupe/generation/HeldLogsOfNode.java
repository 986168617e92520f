package dev.troupe.generation;

import java.time.Duration;
import java.util.function.BiConsumer;
import java.util.function.LongSupplier;
import org.apache.pekko.actor.typed.ActorRef;

/** The logs that one node holds, as its {@link LogKeeper} answers, without the actor. */
public final class HeldLogsOfNode {
    private final HeldLogs logs;

    /**
     * @param abandonedAfter how long a log is held whose owner gives no sign of life
     * @param nanoTime a monotonic clock, in nanoseconds
     */
    public HeldLogsOfNode(Duration abandonedAfter, LongSupplier nanoTime) {
        this.logs = new HeldLogs(abandonedAfter, nanoTime);
    }

    /** Does what {@code command} asks for, and gives the answer with whom it is for. */
    public void on(LogKeeper.Command command, BiConsumer<ActorRef<LogKeeper.Answer>, LogKeeper.Answer> answers) {
        logs.sweep();
        switch (command) {
            case LogKeeper.Open open -> answers.accept(open.replyTo(), logs.open(open));
            case LogKeeper.Append append -> answers.accept(append.replyTo(), logs.append(append));
            case LogKeeper.Forget forget -> logs.forget(forget);
            case LogKeeper.Seek seek -> answers.accept(seek.replyTo(), logs.seek(seek));
            case LogKeeper.Fence fence -> answers.accept(fence.replyTo(), logs.fence(fence));
            case LogKeeper.Claim claim -> answers.accept(claim.replyTo(), logs.claim(claim));
            case LogKeeper.Read read -> answers.accept(read.replyTo(), logs.read(read));
            default -> throw new IllegalArgumentException("no command of other nodes: " + command);
        }
    }
}
