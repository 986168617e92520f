package dev.troupe.plan;

/**
 * One place where a rank can run.
 *
 * @param node whose; sites of one node reach each other without a network
 * @param slot name of the place, unique among all sites
 * @param device what is there
 */
public record Site(String node, String slot, DeviceProfile device) {}
