package dev.troupe.wire.kryo;

import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.testkit.typed.javadsl.TestInbox;
import org.apache.pekko.actor.typed.ActorRef;

/** Actor references without an actor system: a fixed handful, by number. */
public final class FakeRefs implements ActorRefs {
    private final List<ActorRef<?>> refs = new ArrayList<>();
    private int next;

    /** A handful of references. */
    public FakeRefs() {
        for (int i = 0; i < 5; i++) {
            refs.add(TestInbox.create("ref" + i).getRef());
        }
    }

    /** One of them, in turn. */
    public ActorRef<?> any() {
        next = (next + 1) % refs.size();
        return refs.get(next);
    }

    @Override
    public String format(ActorRef<?> ref) {
        return Integer.toString(refs.indexOf(ref));
    }

    @Override
    public ActorRef<?> resolve(String path) {
        return refs.get(Integer.parseInt(path));
    }
}
