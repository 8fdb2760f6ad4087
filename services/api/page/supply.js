// Where tasks come from: one on the desk, one ahead, so that nobody waits; and what to say when there is none.

const EMPTY_WAITS_MS = [5_000, 10_000, 20_000, 30_000]; // ever gentler
const OUTAGE_WAIT_MS = 5_000;
const SUSPENDED_WAIT_MS = 60_000;

// What the service says, as sentences: its messages begin small and end without a full stop.
const sentences = (...said) =>
  said.filter(Boolean).map((words) => `${words[0].toUpperCase()}${words.slice(1).replace(/\.$/, "")}.`).join(" ");

export function createSupply({ api, campaign, wanted, inHand, arrived, resting, suspended, welcome, leave }) {
  let filling = false;
  let closed = false;
  let empties = 0;
  let timer = 0;

  async function fill() {
    clearTimeout(timer);
    if (filling || closed) return;
    filling = true;
    try {
      while (wanted() && (await fetchOne()));
    } catch (error) {
      if (!closed) await failed(error);
    } finally {
      filling = false;
    }
  }

  // False where there is none to be had now.
  async function fetchOne() {
    const task = await api.next(campaign(), inHand());
    if (closed) return false;
    if (task.none || inHand().includes(task.task)) return nothing(task.none ?? "done");
    empties = 0;
    arrived(task);
    return true;
  }

  function nothing(reason) {
    resting({ icon: "cup", again: "Look again", ...(NOTHING[reason] ?? NOTHING.done) });
    later(EMPTY_WAITS_MS[Math.min(empties, EMPTY_WAITS_MS.length - 1)]);
    empties += 1;
    return false;
  }

  async function failed(error) {
    if (error.status === undefined) throw error;
    if (error.status === 401 || error.status === 403) return (await blocked(error)) || mayNot(error);
    resting({
      icon: "cloud",
      title: "The service can't be reached",
      text: "Your answers are kept in this browser and will be sent. This page goes on by itself when the connection is back.",
      again: "Try again",
    });
    later(Math.max(OUTAGE_WAIT_MS, error.retryAfter * 1000));
  }

  // True where this person may do nothing for now: then the page says why, and what to do.
  async function blocked(error) {
    if (error.status === 401) {
      leave("Your key is no longer valid. Ask your lead for a new link; what you answered is kept here.");
      return true;
    }
    const me = await api.me().catch(() => null);
    if (closed || me?.standing !== "suspended") return closed;
    suspended(paused(me));
    later(SUSPENDED_WAIT_MS);
    return true;
  }

  function mayNot(error) {
    resting({ icon: "pause", title: "There are no tasks for this key", text: sentences(error.message, error.mend), again: "Check again" });
    later(SUSPENDED_WAIT_MS);
  }

  function later(wait) {
    clearTimeout(timer);
    timer = setTimeout(() => (welcome(), fill()), wait);
  }

  return {
    fill,
    blocked,
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

// By the reason that the service gives. None of them is a reproach: nobody knows yet why answers differ.
const NOTHING = {
  done: {
    title: "Nothing to judge right now",
    text: "You have done all there is for you. New tasks appear here on their own, so you can just leave this page open.",
  },
  others: {
    title: "Nothing to judge right now",
    text: "What is open is with other people at the moment, or you have judged or skipped it already. New tasks appear here on their own, so you can just leave this page open.",
  },
  slower: {
    title: "Your next task takes a little longer",
    text: "Your answers and other people's have differed more often than usual. That can have many reasons, and an unclear guideline is one of them, so for a while tasks come to you more slowly. It helps to look at the guideline again (G), to take your time, and to write down a reason where you see a thing differently. As soon as answers meet more often, tasks come as before; your lead can tell you more. This page goes on by itself.",
  },
};

const paused = ({ standing_reason: reason, appealed }) => ({
  icon: "pause",
  title: "Your work is paused",
  text: `${reason ? `The reason given: ${reason.replace(/[.\s]*$/, ".")} ` : ""}${appealed ? APPEALED : MISTAKE} Nothing you did is lost.`,
  again: "Check again",
  appeal: !appealed,
});

const MISTAKE = "A check can be wrong about a person. If you think it is, say so below: your lead sees your words, and can let you go on.";
const APPEALED = "Your lead has your words and will look again. This page goes on by itself when they let you.";
