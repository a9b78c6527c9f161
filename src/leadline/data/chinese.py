"""Generated Chinese: prose in any amount, one-line records, and keys, names and towns to ask about.

As in `prose`, the prose says nothing exact: no digits, no names, nothing that answers a question; and a longer
stream begins with the shorter one. Sentences end in their own full stop and are joined by nothing. Knows nothing of
tokenizers or questions.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from leadline.data.prose import BLOCK, spread, value

JOIN = ""
"""What stands between two sentences."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_PLACES = _words("""
小山坡上 河边 老桥头 集市里 港口边 车站外 林子边上 磨坊旁 学校门口 花园的墙下 湖岸上 大路旁 祠堂前 图书馆里 北门外 镇公所前
果园里 石塔下 巷子深处 茶馆门口 打谷场上 渡口边 晒台上 水井旁 杂货铺前 院子当中 竹林后面 戏台底下 药铺对面 邮局门外 山脚下
田埂上 码头上 染坊后院 书店的角落里 菜园边 旧仓库前 屋檐底下 广场边上 城墙根下 溪水旁 铁匠铺外 凉亭里 稻田那头 面馆里
布店门前 石阶上 荷塘边 麦地旁 栈道上 堤岸上 老槐树下 后街口 旅店楼下 豆腐坊旁 钟楼底下 茶园里 池塘对岸 磨盘边 篱笆外
""")
_TIMES = _words("""
清早 傍晚 午饭过后 太阳出来以前 平常日子里 有些日子 正午时分 初春的时候 夏天快过去的时候 雨停之后 每逢赶集 冬天里 像往常一样
没过多久 时不时地 钟声响起的时候 天快黑的时候 起风以后 下过雪的早晨 入秋以后 夜深的时候 客人走了以后 放学以后 收工以后
雾散了以后 灯亮起来的时候 天气转暖以后 下第一场雨的时候 月亮升起来以后 开饭之前 鸡叫的时候 茶凉了以后 船靠岸以后 歇晌的时候
过节前后 农闲的时候 天晴的时候 停电的晚上 打烊以后 出门之前 蝉叫得最响的时候 桂花开的时候 霜降前后 落叶满地的时候 春耕以前
饭菜上桌的时候 年关将近的时候 日头偏西的时候 露水还没干的时候 鸟儿归巢的时候
""")
_PEOPLE = _words("""
孩子们 一位老人 过路的旅人 一个年轻女子 邻居们 一群学生 客人们 几个工人 送信的人 一个陌生人 几个水手 一家老小 店主
看门的老汉 卖菜的妇人 放牛的少年 茶馆的伙计 补鞋的师傅 教书先生 摇橹的船夫 挑担的小贩 打渔的人 木匠师徒 晒谷子的农妇
说书的先生 守夜的人 唱戏的姑娘 采茶的姐妹 种花的老太太 裁缝 写字的先生 修伞的手艺人 磨刀的师傅 赶车的汉子 隔壁的夫妇
走亲戚的人 卖糖人的老伯 管账的先生 捡柴的娃娃 街坊邻里 下棋的老头儿 画画的学徒 洗衣服的妇女 新来的租客 养蜂人 卖布的掌柜
打铁的父子 过桥的行人 等车的乘客 散步的情侣
""")
_LOOKS = _words("""
灰色的 旧旧的 褪了色的 崭新的 小巧的 沉甸甸的 雪白的 淡青色的 暗红的 金黄的 墨绿的 湿漉漉的 干净的 落了灰的 精致的 朴素的
光滑的 粗糙的 温暖的 冰凉的 细长的 圆圆的 结实的 破旧的 发亮的 浅蓝的 深褐色的 歪歪斜斜的 不起眼的 漂亮的 古怪的 轻巧的
笨重的 别致的 寻常的 素净的 花花绿绿的 半旧的 乌黑的 米黄的 好看的 整齐的 单薄的 厚实的 安静的 斑驳的
""")
_THINGS = {
    "只": "木箱 竹篮 茶壶 瓷碗 陶罐 水桶 藤箱 口袋 铃铛 木盆 锅 手表 杯子 抽屉 酒坛 灯罩 哨子 花盆 竹筐 蛐蛐罐",
    "把": "椅子 雨伞 扇子 铜锁 胡琴 剪刀 梳子 木勺 锄头 算盘 镰刀 刷子 钥匙 琵琶 尺子 扫帚 蒲扇",
    "条": "围巾 毛巾 板凳 绳子 手帕 被子 腰带 裙子 麻袋 毯子 门帘 头巾",
    "张": "桌子 报纸 渔网 地图 草席 年画 信纸 照片 竹椅 棋盘 琴 凳子 剪纸",
    "本": "书 账本 相册 日历 画册 字帖 诗集 笔记 菜谱 歌谱 词典",
    "盏": "灯笼 油灯 马灯 台灯 纱灯",
    "件": "棉袄 外套 衬衫 乐器 木雕 包袱 蓑衣 瓷器 毛衣 玩具 摆设",
    "块": "木板 布料 招牌 砚台 肥皂 桌布 门板 镇纸",
    "顶": "草帽 斗笠 毡帽 绒帽 蚊帐",
    "面": "镜子 铜锣 小鼓 旗子",
    "双": "布鞋 筷子 手套 草鞋 袜子 雨靴",
    "支": "毛笔 笛子 蜡烛 钢笔 竹箫",
    "幅": "字画 刺绣 山水画 窗帘",
}
_STANDING = {
    "座": "小桥 石塔 凉亭 磨坊 土屋 水车 钟楼 牌坊 戏台 瓦房 鸽舍",
    "棵": "柳树 银杏 梧桐 枣树 石榴树 松树 柿子树 桃树 樟树 杏树 白杨",
    "辆": "马车 自行车 手推车 独轮车 板车",
    "口": "水井 水缸 大钟",
    "扇": "木门 篱笆门 铁门",
    "条": "小船 长廊 水渠",
    "堵": "土墙 砖墙 矮墙",
}
_BEASTS = {
    "只": "猫 狗 麻雀 燕子 白鹅 山羊 兔子 松鼠 喜鹊 鸽子 公鸡 花猫 小羊 乌鸦 黄狗 鸭子",
    "头": "黄牛 毛驴 水牛 骡子",
    "匹": "马 小马驹",
}


def _measured(kinds: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((measure, noun) for measure, nouns in kinds.items() for noun in nouns.split())


_OF_STANDING = _words("""
古老的 高高的 孤零零的 不起眼的 漂亮的 结实的 寻常的 熟悉的 静静的 落满霜的 湿漉漉的 低矮的 新近才有的 人人都认得的
""")
_OF_BEASTS = _words("""
灰色的 雪白的 乌黑的 瘦瘦的 胖胖的 懒洋洋的 胆小的 安静的 淘气的 年老的 机灵的 走失的 花斑的 温顺的 打着哈欠的 爱叫的
""")
_NOUNS = {
    "一物": (_measured(_THINGS), _LOOKS),
    "一景": (_measured(_STANDING), _OF_STANDING),
    "一兽": (_measured(_BEASTS), _OF_BEASTS),
}
_ACTS = _words("""
慢慢走过去了 聊了一阵天气 坐了下来 等着下一班车 哼起了老歌 把篮子搬到了{地} 抬头看了看天色 比往常多睡了一会儿
讲起了{一物}的来历 又回到了{地} 给篱笆刷了漆 望着水上的船影 默默地看报纸 分着喝了一锅汤 听了半天风声 关上了窗板 扫了扫地
看见{一兽}停在{地} 为同一个笑话笑了起来 忘记了时间 要了一杯热茶 到处寻找{一物} 都说什么也没有变 又走上了去{处}的路
把{一物}擦了又擦 在{地}歇了歇脚 修好了{一物} 把衣服晾在了{地} 对着{一景}发了会儿呆 逗了逗{一兽} 跟着{一兽}走过{地}
靠着{一景}坐下 和熟人打了个招呼 给花浇了水 买了些点心 把{一物}借给了别人 在{地}生了一堆火 翻出了{一物} 撑着伞站在{地}
不紧不慢地收拾东西 煮了一壶茶 在{地}下起了棋 替别人捎了个口信 把{一物}挪到了{地} 打起了瞌睡 数落起天气来 说笑着散了
从{处}带回了{一物} 围着{一兽}看热闹 剥着豆子说闲话 给{一物}换了个位置 在{地}喂鸽子 悄悄地叹了口气 把门虚掩着 踩着落叶走远了
在{地}支起了摊子 想起了家乡的味道 蹲在{地}洗菜 拿不定主意 到{处}去串门 把{一物}包了起来 在{地}拉起了胡琴 嫌{一物}太旧了
给孩子们分糖吃 搓着手取暖 在{地}等人 练起字来 顺手带上了{一物} 喝完了碗里的粥 背着手踱步 画下了{一景} 把炉子烧得旺旺的
在{地}躲雨 低声商量着什么 挑了些新鲜的蔬菜 把旧信读了一遍 拍了拍身上的灰 夸{一物}做得好 往{处}去了 挽起袖子干活
""")
_SIGHTS = _words("""
{地}的光线没有停留多久 {地}放着{一物} {一景}立在{地} {一兽}绕着{一景}转圈 通往{处}的路又窄又弯 {地}飘着新鲜面食的香味
水面很静，船轻轻地晃 {地}的房子都有小小的窗户 这样的日子，街上几乎没有人 {地}晾满了衣裳 {一景}看上去没有什么新奇
落叶堆在{地} 风向变了，吹来了厚厚的云 {地}有{一兽}叫了一阵 招牌上的字已经看不清了 窗子开着，{地}传来了乐声
{地}的长凳修过不止一回 炊烟升起来，往{处}飘去 墙上挂着{一物} {一物}靠在门边 {地}的青苔又厚了一层 远处的山像是淡淡的水墨
{地}长满了野草 空气里有泥土的气味 {一景}倒映在水里 {一兽}卧在{一景}旁边 {处}的方向亮着灯 {地}积了一层薄雪 柳条垂到了水面
{一物}就摆在{地} 瓦片上落着霜 {地}的石板被雨洗得发亮 {地}静得能听见水声 燕子在{地}筑了巢 {一物}在风里轻轻摇晃
{一景}挡住了去{处}的路 {一兽}从{地}跑了过去 {地}有{一景} {一兽}在{地}打盹 {地}的花开了又谢 太阳照在{一景}上 晚霞把{处}染红了
{地}摆着新摘的果子 {一物}上面落了几片花瓣 雾气漫过了{处} {地}留着昨夜的雨水 有人把{一物}忘在了{地} {地}的灯忽明忽暗
屋里只剩下{一物} 竹影落在{一景}上 {地}的铃铛响个不停 {处}那边传来了笑声
""")
_REMARKS = _words("""
日子过得太快 这样的天气最适合出门 没有什么可着急的 路比从前好走了 茶还是老味道 今年的花开得早 还是家里的饭菜香
雨大概不会停了 热闹一点也不坏 这里和从前没有两样 该添些衣裳了 {处}的风景更好 {一物}放在那里正合适 慢一点也没有关系
{一物}早就该修了 那首歌很耳熟 外面的事情都很远 人来人往才有生气 少了{一物}总不大习惯 {处}值得再去走走 等天晴了再说也不迟
{一物}比看上去要重 客人还会再来 {地}最凉快 这条路走不厌
""")
_SAYS = _words("觉得 总说 常常想 相信 念叨着 笑着说 心里明白")
_SITES = _words("""
小山坡 老桥头 集市 港口 车站 林子 磨坊 学校 湖边 祠堂 图书馆 北门 镇公所 果园 石塔 茶馆 打谷场 渡口 水井 杂货铺 竹林 戏台
药铺 邮局 山脚 码头 染坊 书店 菜园 仓库 广场 城墙 溪边 铁匠铺 凉亭 稻田 面馆 布店 荷塘 栈道 堤岸 后街 旅店 豆腐坊 钟楼 茶园
池塘 对岸 后山 老街
""")
_FRAMES = (
    (0.16, "{景}。"),
    (0.30, "{时}，{景}。"),
    (0.52, "{时}，{人}{动}。"),
    (0.60, "{人}{动}。"),
    (0.70, "{人}{动}，{动}。"),
    (0.76, "{人}走到{地}，{动}。"),
    (0.82, "{景}，{人}{动}。"),
    (0.88, "{人}{说}，{评}。"),
    (0.92, "虽然{景}，{人}还是{动}。"),
    (0.96, "{人}{动}的时候，{景}。"),
    (1.00, "{时}，{人}{动}，{景}。"),
)


def _thing(rng: random.Random, slot: str) -> str:
    pick = rng.random
    nouns, looks = _NOUNS[slot]
    measure, noun = nouns[int(pick() * len(nouns))]
    of = ("一", "那", "这", "一")[int(pick() * 4)]
    return of + measure + (looks[int(pick() * len(looks))] if pick() < 0.75 else "") + noun


_SLOTS = {
    "地": _PLACES, "处": _SITES, "时": _TIMES, "人": _PEOPLE, "动": _ACTS, "景": _SIGHTS, "评": _REMARKS, "说": _SAYS,
}  # fmt: skip


def _fill(rng: random.Random, template: str) -> str:
    """Fill the slots of a template, and those of what fills them."""
    head, found, rest = template.partition("{")
    out = [head]
    while found:
        slot, _, rest = rest.partition("}")
        if slot in _NOUNS:
            out.append(_thing(rng, slot))
        else:
            drawn = _SLOTS[slot][int(rng.random() * len(_SLOTS[slot]))]
            out.append(_fill(rng, drawn) if "{" in drawn else drawn)
        head, found, rest = rest.partition("{")
        out.append(head)
    return "".join(out)


def sentence(rng: random.Random) -> str:
    """One sentence of plain Chinese prose, with its full stop."""
    kind = rng.random()
    return _fill(rng, next(frame for upto, frame in _FRAMES if kind < upto))


def sentences(n: int, seed: int = 0) -> list[str]:
    """The first n sentences of plain Chinese prose."""
    out: list[str] = []
    for block in range(-(-n // BLOCK)):
        rng = random.Random(f"prose-zh/{seed}/{block}")
        out.extend(sentence(rng) for _ in range(BLOCK))
    return out[:n]


KEY_ADJECTIVES = _words("""
琥珀 银色 青铜 翡翠 珊瑚 水晶 碧玉 玛瑙 朱红 靛蓝 深紫 橙黄 象牙 黑檀 白桦 赤铜 沙漠 极地 热带 高原 深海 山谷 草原 北方 南方
东方 西方 清晨 午夜 黄昏 夏日 冬日 秋日 春日 月下 星空 云端 雷雨 暴风 冰雪 火焰 迷雾 彩虹 霜天 远古 神秘 勇敢 沉默 孤独 骄傲
快乐 忧伤 聪明 谨慎 狡猾 温柔 迅捷 笨拙 威严 高贵 巨型 袖珍 透明 闪光 飞行 潜水 漂流 沉睡 奔跑 歌唱 旋转 破碎 镀金 雕花 皇家
民间 流浪 隐形 永恒 最后 珍珠 钻石 钢铁 白银 黄金 石英 丝绒 青瓷 紫砂 红木 翠绿 绛红 雪青 赭石 明黄 孔雀 荒原 火山 雨林 边境
古城 湖心 海底 天际 晨曦 暮色 清凉 炽热 轻盈 浑厚 机敏 慷慨 倔强 从容 诚实 热情 冷静 耐心 好奇 疲倦
""")
KEY_NOUNS = _words("""
猎鹰 灯塔 鲸鱼 骆驼 海豚 仙鹤 狮子 老虎 猎豹 黑熊 大象 犀牛 河马 羚羊 麋鹿 野牛 企鹅 海狮 海龟 鳄鱼 蜥蜴 蜘蛛 蜻蜓 蟋蟀 蚂蚁
凤凰 麒麟 飞龙 白鹭 天鹅 鹦鹉 画眉 杜鹃 城堡 宫殿 神殿 塔楼 矿山 冰川 瀑布 峡谷 岛屿 海湾 沙丘 绿洲 彗星 流星 行星 卫星 罗盘
风车 风筝 帆船 潜艇 飞艇 火箭 钢琴 提琴 竖琴 刺猬 号角 长笛 王冠 权杖 宝剑 盾牌 头盔 铠甲 弓弩 战鼓 戒指 项链 手镯 耳环 胸针
面具 披风 长袍 沙漏 棱镜 花瓶 烛台 壁炉 吊桥 喷泉 迷宫 雕像 石碑 水獭 狐狸 玫瑰 百合 紫藤 茉莉 牡丹 芙蓉 橄榄 柠檬 葡萄 樱桃
核桃 栗子 蘑菇 南瓜 辣椒 生姜 胡椒 肉桂 芦苇 苔藓 海星 章鱼 鲨鱼 螃蟹 龙虾 贝壳 锦鲤 鲟鱼 蜂鸟 云雀 考拉 袋鼠 树懒 浣熊 獾子
貂熊 雪豹 山猫 野狼 斑马 磁铁 齿轮 弹簧 铁砧 船锚 航标 水闸 运河 驿站 客栈 寺院 学堂 剧场 画廊
""")
_KEYS = len(KEY_ADJECTIVES) * len(KEY_NOUNS)


def key(index: int, seed: int = 0) -> str:
    """A key of four characters such as 琥珀猎鹰; different for each index up to some seventeen thousand."""
    place = spread(index % _KEYS, _KEYS, seed)
    return KEY_ADJECTIVES[place // len(KEY_NOUNS)] + KEY_NOUNS[place % len(KEY_NOUNS)]


SURNAMES = tuple("赵钱孙周吴郑冯陈褚卫蒋沈韩杨朱秦许吕张孔曹严魏陶姜戚谢邹潘葛奚范彭鲁韦马苗方俞任袁柳唐罗薛雷贺倪汤滕殷毕郝邬")
GIVEN = tuple("伟芳娜敏静磊洋艳娟霞杰涛超鹏婷慧颖琳萍玲丹雯倩薇莹璐瑶怡岚蓉菲欣妍梦佳琪雪晨宇浩轩博睿凯鑫航毅峻岩嘉诚哲翰旭昊")
_NAMES = len(SURNAMES) * len(GIVEN) * len(GIVEN)


def name(index: int, seed: int = 0) -> str:
    """A person's name of three characters; different for each index up to some hundred and fifty thousand."""
    rest, second = divmod(spread(index % _NAMES, _NAMES, seed), len(GIVEN))
    surname, first = divmod(rest, len(GIVEN))
    return SURNAMES[surname] + GIVEN[first] + GIVEN[second]


_TOWN_FIRST = tuple("安宁永新长平清泰丰和兴顺德福庆昌嘉云龙凤鹤鹿梅兰松柏")
_TOWN_SECOND = tuple("阳阴州陵川溪泉浦塘湾岭峰坪原丘关屏岩江洲")
_TOWN_THIRD = tuple("城镇县港乡村")
_TOWNS = len(_TOWN_FIRST) * len(_TOWN_SECOND) * len(_TOWN_THIRD)


def town(index: int, seed: int = 0) -> str:
    """A town's name of three characters such as 鹤川镇; different for each index up to some three thousand."""
    rest, third = divmod(spread(index % _TOWNS, _TOWNS, seed), len(_TOWN_THIRD))
    first, second = divmod(rest, len(_TOWN_SECOND))
    return _TOWN_FIRST[first] + _TOWN_SECOND[second] + _TOWN_THIRD[third]


ATTRIBUTES = ("编号", "密码", "价格", "重量", "名次")


def records(n: int, seed: int = 0) -> list[str]:
    """The first n one-line records, such as `琥珀猎鹰的编号是482193。` is one.

    No two share attribute and key, up to some eighty-five thousand of them.
    """
    rng = random.Random(f"records-zh/{seed}")
    first = rng.randrange(_KEYS)
    return [f"{key(first + i, seed)}的{ATTRIBUTES[(i + i // _KEYS) % len(ATTRIBUTES)]}是{value(rng)}。" for i in range(n)]
