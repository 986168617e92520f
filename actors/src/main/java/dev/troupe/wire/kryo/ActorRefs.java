package dev.troupe.wire.kryo;

import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.javadsl.Adapter;

/** How actor references become text and back. */
public interface ActorRefs {
    /** The full path of {@code ref}, address included. */
    String format(ActorRef<?> ref);

    /** The actor at {@code path}; a dead one where there is none. */
    ActorRef<?> resolve(String path);

    /** The references of {@code system}, which may still be starting. */
    static ActorRefs of(ExtendedActorSystem system) {
        return new ActorRefs() {
            // An extension: looked up once by Pekko itself, and not before the first reference is there.
            private ActorRefResolver resolver() {
                return ActorRefResolver.get(Adapter.toTyped(system));
            }

            @Override
            public String format(ActorRef<?> ref) {
                return resolver().toSerializationFormat(ref);
            }

            @Override
            public ActorRef<?> resolve(String path) {
                return resolver().resolveActorRef(path);
            }
        };
    }
}
