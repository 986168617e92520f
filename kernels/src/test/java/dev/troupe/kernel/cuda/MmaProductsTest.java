package dev.troupe.kernel.cuda;

/** Fast products by tensor cores of warps. */
class MmaProductsTest extends FastProductsContract {
    @Override
    int capability() {
        return 80;
    }

    @Override
    String kernelOfSomeTokens() {
        return "matmul_fast_skinny_bf16";
    }
}
