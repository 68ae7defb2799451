/* The small handler for Spin: 2 mms x 2 pages, one pin handle per mm, and seven frames besides the zero page.
   Each op is one d_step, so that a transition here is a transition there. Reference, map and pin counts are kept, as a kernel
   keeps them; the other checkers derive them. MUTANTS: deviations as in SMALL_MUTANTS of src/explore/small.ts, bit = index. */

#ifndef MUTANTS
#define MUTANTS 0
#endif
#define DEVIATES(bit) ((MUTANTS >> bit) & 1)

#define FORK_KEEPS_WRITE DEVIATES(0)
#define FORK_KEEPS_UFFD DEVIATES(1)
#define FORK_SHARES_PINNED DEVIATES(2)
#define FORK_COPY_KEEPS_UFFD DEVIATES(3)
#define COPY_DROPS_UFFD DEVIATES(4)
#define COPY_KEEPS_WRITE DEVIATES(5)
#define REUSE_IGNORES_MAPS DEVIATES(6)
#define REUSE_IGNORES_PINS DEVIATES(7)
#define REUSE_TAKES_ZERO DEVIATES(8)
#define REUSE_COUNTS_PIN_AS_MAP DEVIATES(9)
#define WRITE_IGNORES_UFFD DEVIATES(10)
#define UFFD_KEEPS_WRITE DEVIATES(11)
#define UNWP_RESTORES_WRITE DEVIATES(12)

#define FRAMES 8

#define P 1
#define W 2
#define D 4
#define A 8
#define U 16
#define FRESH (P | W | D | A)

#define IS(entry, bit) ((flags[entry] & bit) != 0)
#define WITHOUT(value, bits) ((value) & (255 - (bits)))

/* Entry = mm * 2 + page; frame 0 is the zero page, or nothing where P is clear. */
byte flags[4];
byte frame[4];
byte refs[FRAMES];
byte maps[FRAMES];
byte pins[FRAMES];
/* The frame that the handle of each mm pins; 0 for none. */
byte slot[2];
/* Of the op under way; cleared at its end, so that they make no states. */
byte f, new, writable, page;

inline take(x) {
  x = 1;
  do
  :: refs[x] != 0 -> x++
  :: else -> break
  od;
  refs[x] = 1;
  maps[x] = 1
}

inline unmap(x) {
  if
  :: x != 0 -> maps[x]--; refs[x]--
  :: else -> skip
  fi
}

inline zap(entry) {
  if
  :: IS(entry, P) -> unmap(frame[entry]); flags[entry] = 0; frame[entry] = 0
  :: else -> skip
  fi
}

inline unpin(mm) {
  if
  :: slot[mm] != 0 -> pins[slot[mm]]--; refs[slot[mm]]--; slot[mm] = 0
  :: else -> skip
  fi
}

/* Only what nobody else can see may be made writable in place. */
#define SOLE (maps[f] == 1 + REUSE_COUNTS_PIN_AS_MAP * pins[f] || REUSE_IGNORES_MAPS)
#define UNPINNED (refs[f] == maps[f] || REUSE_COUNTS_PIN_AS_MAP || REUSE_IGNORES_PINS)
#define REUSABLE ((f != 0 && SOLE && UNPINNED) || (f == 0 && REUSE_TAKES_ZERO))

inline fault(entry, write) {
  if
  :: !IS(entry, P) -> take(new); flags[entry] = FRESH; frame[entry] = new
  :: IS(entry, P) && IS(entry, W) -> flags[entry] = flags[entry] | A | (write * D)
  :: IS(entry, P) && !IS(entry, W) && IS(entry, U) && write && !WRITE_IGNORES_UFFD -> skip
  :: else ->
     writable = (IS(entry, U) -> 0 : W);
     f = frame[entry];
     if
     :: REUSABLE -> flags[entry] = flags[entry] | A | D | writable
     :: else ->
        take(new);
        unmap(f);
        flags[entry] = P | A | D | writable | (COPY_KEEPS_WRITE * W) | (flags[entry] & (U * !COPY_DROPS_UFFD));
        frame[entry] = new
     fi
  fi
}

inline sound(entry) {
  assert(!(IS(entry, W) && IS(entry, U)));
  assert(!(IS(entry, W) && (frame[entry] == 0 || maps[frame[entry]] != 1)));
  assert(frame[entry] == 0 || refs[frame[entry]] == maps[frame[entry]] + pins[frame[entry]])
}

inline done() {
  f = 0;
  new = 0;
  writable = 0;
  page = 0
}

inline read(entry) {
  d_step {
    if
    :: IS(entry, P) -> flags[entry] = flags[entry] | A
    :: else -> flags[entry] = P | A
    fi;
    sound(entry);
    done()
  }
}

inline write(entry) {
  d_step { fault(entry, 1); sound(entry); done() }
}

/* With a handle that holds a pin: gives it back. */
inline gup(mm, entry) {
  d_step {
    if
    :: slot[mm] != 0 -> unpin(mm)
    :: else ->
       fault(entry, 0);
       f = frame[entry];
       if
       :: f != 0 -> pins[f]++; refs[f]++; slot[mm] = f
       :: else -> skip
       fi
    fi;
    sound(entry);
    done()
  }
}

inline uffd(mm, entry) {
  d_step {
    if
    :: !IS(entry, P) -> skip
    :: IS(entry, P) && IS(entry, U) ->
       flags[entry] = WITHOUT(flags[entry], U);
       if
       :: UNWP_RESTORES_WRITE && slot[mm] != 0 && frame[entry] != 0 -> flags[entry] = flags[entry] | W
       :: else -> skip
       fi
    :: else -> flags[entry] = WITHOUT(flags[entry] | U, W * !UFFD_KEEPS_WRITE)
    fi;
    sound(entry);
    done()
  }
}

inline unmap_entry(entry) {
  d_step { zap(entry); sound(entry); done() }
}

inline fork_page(from, to) {
  if
  :: IS(from, P) ->
     f = frame[from];
     if
     :: f != 0 && pins[f] > 0 && !FORK_SHARES_PINNED ->
        take(new);
        flags[to] = FRESH | (flags[from] & (U * FORK_COPY_KEEPS_UFFD));
        frame[to] = new
     :: else ->
        if
        :: f != 0 -> maps[f]++; refs[f]++
        :: else -> skip
        fi;
        flags[to] = WITHOUT(flags[from], W | A | (U * !FORK_KEEPS_UFFD));
        frame[to] = f;
        flags[from] = WITHOUT(flags[from], W * !FORK_KEEPS_WRITE)
     fi
  :: else -> skip
  fi
}

inline fork(parent, child) {
  d_step {
    zap(child * 2);
    zap(child * 2 + 1);
    unpin(child);
    fork_page(parent * 2, child * 2);
    fork_page(parent * 2 + 1, child * 2 + 1);
    sound(0);
    sound(1);
    sound(2);
    sound(3);
    done()
  }
}

init {
  do
  :: read(0)
  :: write(0)
  :: gup(0, 0)
  :: uffd(0, 0)
  :: unmap_entry(0)
  :: read(1)
  :: write(1)
  :: gup(0, 1)
  :: uffd(0, 1)
  :: unmap_entry(1)
  :: read(2)
  :: write(2)
  :: gup(1, 2)
  :: uffd(1, 2)
  :: unmap_entry(2)
  :: read(3)
  :: write(3)
  :: gup(1, 3)
  :: uffd(1, 3)
  :: unmap_entry(3)
  :: fork(0, 1)
  :: fork(1, 0)
  od
}
