/** Checkpoints: what a directory of model files says about the model, and random models in their stead. */
@NullMarked
package dev.troupe.model.checkpoint;

import org.jspecify.annotations.NullMarked;
