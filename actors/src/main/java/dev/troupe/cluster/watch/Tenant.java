package dev.troupe.cluster.watch;

import dev.troupe.cluster.identity.Slot;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.ShardId;
import org.apache.pekko.actor.typed.RecipientRef;

/**
 * A rank and where it was placed.
 *
 * @param lane where its node listens for tensors; empty where there is no lane
 * @param stage who must know when it is lost
 */
public record Tenant(ShardId id, Slot slot, String lane, RecipientRef<PipelineStage.Command> stage) {}
