package dev.troupe.samples.violations.layers.cli;

public final class LayersCommand {
    private LayersCommand() {}
}
