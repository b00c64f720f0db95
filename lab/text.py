"""Pages to read: made-up news in three languages, the same for the same seed.

Sites must differ from each other and from block pages as real ones do, or a
comparison of pages would be tried on nothing. All sentences are our own.
"""

from __future__ import annotations

import functools
import random
from typing import Literal

Language = Literal["be", "ru", "en"]

_PARTS: dict[Language, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "ru": (
        tuple(
            "Жители посёлка|Сотрудники библиотеки|Учёные института|Родители школьников|"
            "Водители автобусов|Волонтёры приюта|Архитекторы бюро|Игроки команды|"
            "Авторы выставки|Хозяева усадьбы|Студенты факультета|Врачи поликлиники".split("|")
        ),
        tuple(
            "рассказали о|провели вечер, посвящённый|собрали деньги на|начали готовить|"
            "обсудили на встрече|показали гостям|нашли в архиве|третий год изучают|"
            "попросили поддержать|отложили до весны".split("|")
        ),
        tuple(
            "ремонт старого моста|новую карту маршрутов|коллекцию открыток начала века|"
            "летний лагерь у озера|концерт под открытым небом|школьный огород|"
            "дневники путешественника|реставрацию витражей|городскую ярмарку|"
            "велосипедную дорожку вдоль реки|лекции по астрономии|кормушки для птиц".split("|")
        ),
    ),
    "be": (
        tuple(
            "Жыхары вёскі|Супрацоўнікі музея|Вучоныя акадэміі|Бацькі вучняў|Валанцёры|"
            "Мастакі суполкі|Гульцы каманды|Гаспадары сядзібы|Студэнты|Краязнаўцы".split("|")
        ),
        tuple(
            "распавялі пра|зладзілі вечарыну ў гонар|сабралі грошы на|пачалі рыхтаваць|"
            "абмеркавалі на сустрэчы|паказалі гасцям|знайшлі ў архіве|вывучаюць трэці год".split(
                "|"
            )
        ),
        tuple(
            "рамонт старога млына|новую мапу сцежак|збор паштовак мінулага стагоддзя|"
            "летні лагер каля возера|канцэрт на плошчы|школьны сад|дзённікі вандроўніка|"
            "аднаўленне вітражоў|гарадскі кірмаш|лекцыі пра зоркі".split("|")
        ),
    ),
    "en": (
        tuple(
            "Residents of the valley|Librarians|Researchers at the institute|Parents|"
            "Bus drivers|Volunteers|The architects|Players of the team|Curators|Students".split("|")
        ),
        tuple(
            "spoke about|held an evening for|raised money for|began to prepare|"
            "discussed at a meeting|showed their guests|found in an archive|"
            "have studied for three years".split("|")
        ),
        tuple(
            "the repair of an old bridge|a new map of trails|a collection of postcards|"
            "a summer camp by the lake|an open-air concert|the school garden|"
            "the diaries of a traveller|the stained glass|the town fair|"
            "a cycle path along the river|lectures on astronomy".split("|")
        ),
    ),
}

_HEADINGS: dict[Language, tuple[str, ...]] = {
    "ru": ("Новости недели", "Городская жизнь", "Заметки редакции", "Главное за день"),
    "be": ("Навіны тыдня", "Жыццё горада", "Нататкі рэдакцыі", "Галоўнае за дзень"),
    "en": ("News of the week", "Life in the town", "Notes from the editors", "The day"),
}


def sentences(chance: random.Random, language: Language, count: int) -> str:
    who, did, what = _PARTS[language]
    return " ".join(
        f"{chance.choice(who)} {chance.choice(did)} {chance.choice(what)}." for _ in range(count)
    )


@functools.lru_cache(maxsize=4096)
def page_html(
    seed: str,
    language: Language,
    paragraphs: int,
    *,
    turn: int = 0,
    title: str | None = None,
    extra: str = "",
) -> str:
    """A page of *paragraphs* for *seed*; with an empty *title* it has none.

    *turn* other than 0 changes one paragraph in three and a number in the head, as
    a live front page changes. *extra* is put at its end as it is.
    """
    steady = random.Random(f"page {seed}")
    moving = random.Random(f"page {seed} {turn}")
    heading = steady.choice(_HEADINGS[language])
    parts = [
        f"<p>{sentences(moving if turn and number % 3 == 2 else steady, language, 4)}</p>"
        for number in range(paragraphs)
    ]
    text = f"{seed}: {heading}" if title is None else title
    named = f"<title>{text}</title>" if text else ""
    return (
        f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8">{named}'
        f'<meta name="generator" content="site-{steady.randrange(10**6)}">'
        f'<link rel="stylesheet" href="/style.css?v={turn}"></head>\n<body><h1>{heading}</h1>\n'
        + "\n".join(parts)
        + f"\n{extra}<footer>{seed}</footer></body></html>\n"
    )
