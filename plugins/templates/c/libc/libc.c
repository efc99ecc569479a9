#include <stdlib.h>
#include <string.h>

extern unsigned char __heap_base;

// Before what is given out stands its size, for `realloc`.
enum { HEADER = 16, PAGE = 65536 };

static size_t next;

void *malloc(size_t size) {
  if (next == 0) next = ((size_t)&__heap_base + HEADER - 1) / HEADER * HEADER;
  size_t rounded = (size + HEADER - 1) / HEADER * HEADER;
  if (rounded < size) abort();
  size_t start = next + HEADER, end = start + rounded;
  size_t have = __builtin_wasm_memory_size(0) * PAGE;
  if (end > have && __builtin_wasm_memory_grow(0, (end - have + PAGE - 1) / PAGE) == (size_t)-1) abort();
  *(size_t *)next = size;
  next = end;
  return (void *)start;
}

void *realloc(void *old, size_t size) {
  void *made = malloc(size);
  if (old) {
    size_t had = *(size_t *)((char *)old - HEADER);
    memcpy(made, old, had < size ? had : size);
  }
  return made;
}

// The instance goes with its run, and its memory with it.
void free(void *memory) { (void)memory; }

void abort(void) { __builtin_trap(); }

void *memcpy(void *to, const void *from, size_t size) {
  for (size_t at = 0; at < size; at++) ((volatile char *)to)[at] = ((const char *)from)[at];
  return to;
}

void *memset(void *to, int byte, size_t size) {
  for (size_t at = 0; at < size; at++) ((volatile char *)to)[at] = (char)byte;
  return to;
}

int memcmp(const void *one, const void *other, size_t size) {
  const unsigned char *a = one, *b = other;
  for (size_t at = 0; at < size; at++)
    if (a[at] != b[at]) return a[at] < b[at] ? -1 : 1;
  return 0;
}

size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length]) length++;
  return length;
}
