/* The level of AVX2, FMA and F16C: 8 rows a vector. */
#include <immintrin.h>

#define LEVEL(name) name##_avx2
#define TARGET __attribute__((target("avx2,fma,f16c")))
#define INLINE TARGET static inline __attribute__((always_inline))
#define LANES 8
#define BYTE_ZERO 0

typedef __m256i ints_avx2;
typedef __m256 floats_avx2;

INLINE __m256 LEVEL(load)(const float *from) {
    return _mm256_loadu_ps(from);
}

INLINE void LEVEL(store)(float *to, __m256 v) {
    _mm256_storeu_ps(to, v);
}

INLINE __m256 LEVEL(all)(float value) {
    return _mm256_set1_ps(value);
}

INLINE __m256 LEVEL(multiply)(__m256 a, __m256 b) {
    return _mm256_mul_ps(a, b);
}

INLINE __m256 LEVEL(add)(__m256 a, __m256 b) {
    return _mm256_add_ps(a, b);
}

INLINE __m256 LEVEL(subtract)(__m256 a, __m256 b) {
    return _mm256_sub_ps(a, b);
}

INLINE __m256 LEVEL(larger)(__m256 a, __m256 b) {
    return _mm256_max_ps(a, b);
}

INLINE __m256 LEVEL(fma)(__m256 a, __m256 b, __m256 c) {
    return _mm256_fmadd_ps(a, b, c);
}

INLINE __m256 LEVEL(to_floats)(__m256i v) {
    return _mm256_cvtepi32_ps(v);
}

INLINE __m256 LEVEL(load_halves)(const uint16_t *from) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const void *) from));
}

INLINE __m256 LEVEL(scale_by)(__m256 p, __m256 t) {
    __m256i n = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), n));
}

INLINE __m256 LEVEL(from_least)(__m256 x, float least, __m256 v) {
    return _mm256_and_ps(_mm256_cmp_ps(x, _mm256_set1_ps(least), _CMP_NLT_UQ), v);
}

INLINE __m256i LEVEL(load_ints)(const void *from) {
    return _mm256_loadu_si256(from);
}

INLINE void LEVEL(store_ints)(void *to, __m256i v) {
    _mm256_storeu_si256(to, v);
}

INLINE __m256i LEVEL(all_ints)(int32_t value) {
    return _mm256_set1_epi32(value);
}

INLINE __m256i LEVEL(all_bytes)(int value) {
    return _mm256_set1_epi8((char) value);
}

INLINE __m256i LEVEL(and)(__m256i a, __m256i b) {
    return _mm256_and_si256(a, b);
}

INLINE __m256i LEVEL(or_masked)(__m256i a, __m256i b, __m256i mask) {
    return _mm256_or_si256(a, _mm256_and_si256(b, mask));
}

INLINE __m256i LEVEL(shift)(__m256i v, const int bits) {
    return bits >= 0 ? _mm256_srli_epi32(v, bits) : _mm256_slli_epi32(v, -bits);
}

INLINE __m256i LEVEL(look_up)(const uint8_t table[16], __m256i codes) {
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128((const void *) table)), codes);
}

/*
 * Sums of two products have 16 bits and saturate. Four products of codes below 64 fit; two of signed bytes do, if the other
 * factor takes their sign: 2 * 128 * 127 < 2^15.
 */
INLINE __m256i LEVEL(dot)(const struct format f, __m256i sum, __m256i a, __m256i x, __m256i b, __m256i y) {
    const __m256i ones = _mm256_set1_epi16(1);
    if (f.low_bits == 8) {
        __m256i v = _mm256_maddubs_epi16(_mm256_abs_epi8(a), _mm256_sign_epi8(x, a));
        __m256i u = _mm256_maddubs_epi16(_mm256_abs_epi8(b), _mm256_sign_epi8(y, b));
        return _mm256_add_epi32(sum, _mm256_add_epi32(_mm256_madd_epi16(v, ones), _mm256_madd_epi16(u, ones)));
    }
    __m256i v = _mm256_add_epi16(_mm256_maddubs_epi16(a, x), _mm256_maddubs_epi16(b, y));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(v, ones));
}

INLINE void LEVEL(widen)(const struct format f, const uint8_t *from, __m256 to[2]) {
    __m256i v = _mm256_loadu_si256((const void *) from);
    if (f.zero == 12) {
        to[0] = _mm256_castsi256_ps(_mm256_slli_epi32(v, 16));
        to[1] = _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32((int) 0xffff0000)));
        return;
    }
    v = _mm256_packus_epi32(_mm256_and_si256(v, _mm256_set1_epi32(0xffff)), _mm256_srli_epi32(v, 16));
    v = _mm256_permute4x64_epi64(v, 0xd8);
    to[0] = _mm256_cvtph_ps(_mm256_castsi256_si128(v));
    to[1] = _mm256_cvtph_ps(_mm256_extracti128_si256(v, 1));
}

INLINE __m256 LEVEL(from_bytes)(const uint8_t *from) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *) from)));
}

INLINE void LEVEL(quads)(const uint8_t *from, const int p, __m256i *low, __m256i *high) {
    __m256i c[4];
    for (int i = 0; i < 4; i++) {
        c[i] = _mm256_loadu_si256((const void *) (from + 32 * i));
    }
    __m256i ab = p == 0 ? _mm256_unpacklo_epi8(c[0], c[1]) : _mm256_unpackhi_epi8(c[0], c[1]);
    __m256i cd = p == 0 ? _mm256_unpacklo_epi8(c[2], c[3]) : _mm256_unpackhi_epi8(c[2], c[3]);
    __m256i a = _mm256_unpacklo_epi16(ab, cd);
    __m256i b = _mm256_unpackhi_epi16(ab, cd);
    *low = _mm256_permute2x128_si256(a, b, 0x20);
    *high = _mm256_permute2x128_si256(a, b, 0x31);
}

INLINE float LEVEL(largest)(const float x[BLOCK]) {
    const __m256i sign = _mm256_set1_epi32((int) 0x80000000);
    __m256i most = _mm256_setzero_si256();
    for (int i = 0; i < BLOCK; i += 8) {
        most = _mm256_max_epi32(most, _mm256_andnot_si256(sign, _mm256_loadu_si256((const void *) (x + i))));
    }
    __m128i v = _mm_max_epi32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    v = _mm_max_epi32(v, _mm_shuffle_epi32(v, 0x4e));
    v = _mm_max_epi32(v, _mm_shuffle_epi32(v, 0xb1));
    return _mm_cvtss_f32(_mm_castsi128_ps(v));
}

INLINE __m256i LEVEL(round_8)(const float *x, float s) {
    __m256i v = _mm256_cvtps_epi32(_mm256_div_ps(_mm256_loadu_ps(x), _mm256_set1_ps(s)));
    return _mm256_max_epi32(_mm256_min_epi32(v, _mm256_set1_epi32(127)), _mm256_set1_epi32(-127));
}

INLINE void LEVEL(round)(const float x[BLOCK], float s, int8_t q[BLOCK]) {
    for (int i = 0; i < BLOCK; i += 16) {
        __m256i v = _mm256_packs_epi32(LEVEL(round_8)(x + i, s), LEVEL(round_8)(x + i + 8, s));
        v = _mm256_permute4x64_epi64(v, 0xd8);
        __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
        _mm_storeu_si128((void *) (q + i), bytes);
    }
}

INLINE void LEVEL(reorder)(const int8_t *from, const uint8_t order[16], int8_t *to) {
    __m128i q = _mm_loadu_si128((const void *) from);
    _mm_storeu_si128((void *) to, _mm_shuffle_epi8(q, _mm_loadu_si128((const void *) order)));
}

#include "attention.h"
#include "products.h"
