package dev.troupe.samples.violations.pekko.kernel;

import org.apache.pekko.actor.typed.ActorRef;

record KernelThatTells(ActorRef<String> peer) {}
