/* The level of AVX-512 with VNNI and VBMI: 16 rows a vector. */
#include <immintrin.h>

#define LEVEL(name) name##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi")))
#define INLINE TARGET static inline __attribute__((always_inline))
#define LANES 16
/* Added to signed bytes, because a dot product takes unsigned ones. */
#define BYTE_ZERO 128

typedef __m512i ints_avx512;
typedef __m512 floats_avx512;

INLINE __m512 LEVEL(load)(const float *from) {
    return _mm512_loadu_ps(from);
}

INLINE void LEVEL(store)(float *to, __m512 v) {
    _mm512_storeu_ps(to, v);
}

INLINE __m512 LEVEL(all)(float value) {
    return _mm512_set1_ps(value);
}

INLINE __m512 LEVEL(multiply)(__m512 a, __m512 b) {
    return _mm512_mul_ps(a, b);
}

INLINE __m512 LEVEL(add)(__m512 a, __m512 b) {
    return _mm512_add_ps(a, b);
}

INLINE __m512 LEVEL(subtract)(__m512 a, __m512 b) {
    return _mm512_sub_ps(a, b);
}

INLINE __m512 LEVEL(larger)(__m512 a, __m512 b) {
    return _mm512_max_ps(a, b);
}

INLINE __m512 LEVEL(fma)(__m512 a, __m512 b, __m512 c) {
    return _mm512_fmadd_ps(a, b, c);
}

INLINE __m512 LEVEL(to_floats)(__m512i v) {
    return _mm512_cvtepi32_ps(v);
}

/* As many f16 as there are lanes. */
INLINE __m512 LEVEL(load_halves)(const uint16_t *from) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const void *) from));
}

/* p * 2^n, where t is n + 0x1.8p23. */
INLINE __m512 LEVEL(scale_by)(__m512 p, __m512 t) {
    __m512i n = _mm512_slli_epi32(_mm512_castps_si512(t), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), n));
}

/* v, and 0 where x is below the least. */
INLINE __m512 LEVEL(from_least)(__m512 x, float least, __m512 v) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(least), _CMP_NLT_UQ), v);
}

INLINE __m512i LEVEL(load_ints)(const void *from) {
    return _mm512_loadu_si512(from);
}

INLINE void LEVEL(store_ints)(void *to, __m512i v) {
    _mm512_storeu_si512(to, v);
}

INLINE __m512i LEVEL(all_ints)(int32_t value) {
    return _mm512_set1_epi32(value);
}

INLINE __m512i LEVEL(all_bytes)(int value) {
    return _mm512_set1_epi8((char) value);
}

INLINE __m512i LEVEL(and)(__m512i a, __m512i b) {
    return _mm512_and_si512(a, b);
}

/* a | (b & mask) */
INLINE __m512i LEVEL(or_masked)(__m512i a, __m512i b, __m512i mask) {
    return _mm512_ternarylogic_epi32(a, b, mask, 0xf8);
}

/* Every int shifted to the right, or to the left where bits are negative. */
INLINE __m512i LEVEL(shift)(__m512i v, const int bits) {
    return bits >= 0 ? _mm512_srli_epi32(v, bits) : _mm512_slli_epi32(v, -bits);
}

/* table[code] for every byte. */
INLINE __m512i LEVEL(look_up)(const uint8_t table[16], __m512i codes) {
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const void *) table)), codes);
}

/* sum + four products of a with x + four of b with y in every lane; x and y are the same in all. */
INLINE __m512i LEVEL(dot)(const struct format f, __m512i sum, __m512i a, __m512i x, __m512i b, __m512i y) {
    (void) f;
    return _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(sum, a, x), b, y);
}

/* As ints, 16 of 32 f16 (mxfp4: bf16), of which int i has row i low and row i + 16 high. */
INLINE void LEVEL(widen)(const struct format f, const uint8_t *from, __m512 to[2]) {
    __m512i v = _mm512_loadu_si512(from);
    if (f.zero == 12) {
        to[0] = _mm512_castsi512_ps(_mm512_slli_epi32(v, 16));
        to[1] = _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32((int) 0xffff0000)));
        return;
    }
    to[0] = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v));
    to[1] = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(v, 16)));
}

/* Signed bytes of as many rows as there are lanes. */
INLINE __m512 LEVEL(from_bytes)(const uint8_t *from) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *) from)));
}

/* Byte 4r + j: column j of row r, from two columns of 32 rows in each of two vectors; then rows 16 to 31. */
#define QUAD(r) (r), 32 + (r), 64 + (r), 96 + (r)
static const uint8_t QUADS[128] __attribute__((aligned(64))) = {
    QUAD(0),  QUAD(1),  QUAD(2),  QUAD(3),  QUAD(4),  QUAD(5),  QUAD(6),  QUAD(7),  QUAD(8),  QUAD(9),  QUAD(10),
    QUAD(11), QUAD(12), QUAD(13), QUAD(14), QUAD(15), QUAD(16), QUAD(17), QUAD(18), QUAD(19), QUAD(20), QUAD(21),
    QUAD(22), QUAD(23), QUAD(24), QUAD(25), QUAD(26), QUAD(27), QUAD(28), QUAD(29), QUAD(30), QUAD(31)};

/* Four columns of 32 signed bytes, made unsigned: of pair p, the four of a row in its lane. */
INLINE void LEVEL(quads)(const uint8_t *from, const int p, __m512i *low, __m512i *high) {
    (void) p;
    const __m512i sign = _mm512_set1_epi8((char) 0x80);
    __m512i a = _mm512_xor_si512(_mm512_loadu_si512(from), sign);
    __m512i b = _mm512_xor_si512(_mm512_loadu_si512(from + 64), sign);
    *low = _mm512_permutex2var_epi8(a, _mm512_load_si512(QUADS), b);
    *high = _mm512_permutex2var_epi8(a, _mm512_load_si512(QUADS + 64), b);
}

/* The largest of the 32 values without their signs; NaN if one is. */
INLINE float LEVEL(largest)(const float x[BLOCK]) {
    const __m512i sign = _mm512_set1_epi32((int) 0x80000000);
    __m512i a = _mm512_andnot_si512(sign, _mm512_loadu_si512(x));
    __m512i b = _mm512_andnot_si512(sign, _mm512_loadu_si512(x + 16));
    int32_t bits = _mm512_reduce_max_epi32(_mm512_max_epi32(a, b));
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

/* Rounds x / s to the nearest integer, the even one of two, within -127 to 127. */
INLINE void LEVEL(round)(const float x[BLOCK], float s, int8_t q[BLOCK]) {
    for (int i = 0; i < BLOCK; i += 16) {
        __m512i v = _mm512_cvtps_epi32(_mm512_div_ps(_mm512_loadu_ps(x + i), _mm512_set1_ps(s)));
        v = _mm512_max_epi32(_mm512_min_epi32(v, _mm512_set1_epi32(127)), _mm512_set1_epi32(-127));
        _mm_storeu_si128((void *) (q + i), _mm512_cvtepi32_epi8(v));
    }
}

/* Byte i is from[order[i]]. */
INLINE void LEVEL(reorder)(const int8_t *from, const uint8_t order[16], int8_t *to) {
    __m128i q = _mm_loadu_si128((const void *) from);
    _mm_storeu_si128((void *) to, _mm_shuffle_epi8(q, _mm_loadu_si128((const void *) order)));
}

#include "attention.h"
#include "products.h"
